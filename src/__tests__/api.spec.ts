import { API_LEVEL, ApiLevelError, RestApi } from '../api';
import { serverAnswering } from './server';

const STATUS = {
  version: '0.1.0',
  api_level: API_LEVEL,
  state: 'running',
  home: '/home/ada/rapidfire_lab',
  home_key: 'a1b2'
};

describe('RestApi', () => {
  it('returns the status of the engine', async () => {
    const { settings } = serverAnswering(STATUS);
    await expect(new RestApi(settings).engine()).resolves.toEqual(STATUS);
  });

  it('refuses a server of another API level', async () => {
    const { settings } = serverAnswering({ ...STATUS, api_level: 1 });
    const status = new RestApi(settings).engine();
    await expect(status).rejects.toBeInstanceOf(ApiLevelError);
    await expect(status).rejects.toThrow(
      'rapidfire_lab 0.1.0 speaks API level 1, this page 2.'
    );
  });

  it('names runs, metrics and experiments in its addresses', async () => {
    const { settings, fetch } = serverAnswering({ metric: 'loss', series: [] });
    await new RestApi(settings).series('a/b c', {
      metric: 'loss',
      per: 'step',
      x: 'time',
      run_ids: [1, 2]
    });
    const url = new URL((fetch.mock.calls[0][0] as Request).url);
    expect(url.pathname).toMatch(/\/api\/experiments\/a%2Fb%20c\/series$/);
    expect(url.searchParams.getAll('run')).toEqual(['1', '2']);
    expect(url.searchParams.get('x')).toBe('time');
  });

  it('asks for the plots of an experiment, and for series by a metric', async () => {
    const plots = [{ title: 'T', metrics: ['a'], x_axis: null, run_ids: [1] }];
    const { settings, fetch } = serverAnswering({ plots });
    const api = new RestApi(settings);
    await expect(api.plots('digits')).resolves.toEqual({ plots });
    await api.series('digits', {
      metric: 'a',
      per: 'step',
      x: 'step',
      by: 'b'
    });
    const urls = fetch.mock.calls.map(([request]) => (request as Request).url);
    expect(urls[0]).toMatch(/\/api\/experiments\/digits\/plots/);
    expect(urls[1]).toMatch(/\/series\?metric=a&per=step&x=step&by=b/);
  });

  it('links to artifacts below the base URL', () => {
    const { settings } = serverAnswering({});
    const url = new RestApi(settings).artifactUrl('digits', 'runs/1/a b.json');
    expect(url).toBe(
      'http://localhost/user/ada/rapidfire-lab/api/experiments/digits/artifacts/runs/1/a%20b.json'
    );
  });
});
