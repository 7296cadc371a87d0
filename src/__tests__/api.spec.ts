import { API_LEVEL, ApiLevelError, getEngine } from '../api';
import { serverAnswering } from './server';

const STATUS = {
  version: '0.1.0',
  api_level: API_LEVEL,
  state: 'running',
  home: '/home/ada/rapidfire_lab'
};

describe('getEngine', () => {
  it('returns the status of the engine', async () => {
    const { settings } = serverAnswering(STATUS);
    await expect(getEngine(settings)).resolves.toEqual(STATUS);
  });

  it('refuses a server of another API level', async () => {
    const { settings } = serverAnswering({ ...STATUS, api_level: 2 });
    const status = getEngine(settings);
    await expect(status).rejects.toBeInstanceOf(ApiLevelError);
    await expect(status).rejects.toThrow(
      'rapidfire_lab 0.1.0 speaks API level 2, this page 1.'
    );
  });
});
