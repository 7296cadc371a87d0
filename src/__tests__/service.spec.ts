import { ServerConnection } from '@jupyterlab/services';

import { API_LEVEL, CloneRefusedError } from '../api';
import { RunService } from '../service';
import { IRun, IRunsAnswer } from '../tokens';
import { fakeRace } from './fakeService';
import { serverWith } from './server';

function run(run_id: number, more: Partial<IRun> = {}): IRun {
  return {
    run_id,
    status: 'running',
    wanted: null,
    ended_by: null,
    source: 'initial',
    parent: null,
    search: null,
    warm_start: false,
    epochs: 2,
    completed_epochs: 0,
    steps_per_epoch: 10,
    step: 0,
    total_steps: 20,
    progress: 0,
    epoch_progress: 0,
    seconds: 0,
    seconds_left: null,
    created: 1,
    started: 1,
    ended: null,
    slot: 0,
    device: 'cpu',
    error: null,
    loss: null,
    metrics: {},
    trend: [],
    knobs: {},
    ...more
  };
}

/**
 * A server with one experiment, which answers as the REST API does.
 */
class Server {
  answer: IRunsAnswer = {
    epoch: 'a',
    rev: 1,
    full: true,
    engine: { state: 'running' },
    experiment: 'digits',
    experiments: [],
    runs: [run(1), run(2)],
    knob_names: ['train.batch_size'],
    metric_names: [],
    metric: null
  };

  /** How the next requests fail, one after the other. */
  failures: (Error | Response)[] = [];
  asked: URL[] = [];
  posted: { path: string; body: Record<string, unknown> }[] = [];

  get settings(): ServerConnection.ISettings {
    return serverWith(async input => this._respond(input as Request));
  }

  /** Queries of `runs`, oldest first, without the number that keeps answers out of caches. */
  get queries(): string[] {
    return this.asked
      .filter(url => url.pathname.endsWith('/runs'))
      .map(url => url.search.replace(/[?&]\d+$/, ''));
  }

  private async _respond(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.asked.push(url);
    if (request.method === 'POST') {
      const body = await request.json();
      this.posted.push({ path: url.pathname, body });
    }
    const failure = this.failures.shift();
    if (failure instanceof Response) {
      return failure;
    }
    if (failure) {
      throw failure;
    }
    return new Response(JSON.stringify(this._body(url)));
  }

  private _body(url: URL): unknown {
    if (url.pathname.endsWith('/engine')) {
      return { version: '0', api_level: API_LEVEL, state: 'running' };
    }
    if (url.pathname.endsWith('/ops/check')) {
      return { clones: [], problem: 'No such optimizer.' };
    }
    if (url.pathname.endsWith('/ops')) {
      return { operation_ids: [7], run_ids: [1] };
    }
    const since = Number(url.searchParams.get('since') ?? 0);
    const isKnown = url.searchParams.get('epoch') === this.answer.epoch;
    return isKnown && since >= this.answer.rev
      ? { ...this.answer, full: false, runs: [], experiments: undefined }
      : this.answer;
  }
}

const NETWORK = new TypeError('Failed to fetch');

describe('RunService', () => {
  let server: Server;
  let service: RunService;
  let hidden: boolean;

  beforeEach(() => {
    server = new Server();
    hidden = false;
    service = new RunService({
      settings: server.settings,
      isHidden: () => hidden
    });
  });

  afterEach(() => {
    service.dispose();
  });

  it('asks for nothing while nobody watches', async () => {
    expect(server.asked).toEqual([]);
    expect(service.connection).toBe('connecting');
  });

  it('checks the release of the server first, then tells its runs', async () => {
    const model = service.watch('digits');
    await service.refresh();
    expect(server.asked[0].pathname).toMatch(/\/engine$/);
    expect(model.isReady).toBe(true);
    expect(model.experiment).toBe('digits');
    expect(model.runs.map(({ run_id }) => run_id)).toEqual([1, 2]);
    expect(service.connection).toBe('online');
    expect(service.engine).toBe('running');
  });

  it('asks for what changed since, and merges it', async () => {
    const model = service.watch('digits');
    await service.refresh();
    const [first] = model.runs;
    server.answer = {
      ...server.answer,
      full: false,
      rev: 5,
      runs: [run(2, { status: 'completed', ended: 9 }), run(3)]
    };
    await service.refresh();
    expect(server.queries[server.queries.length - 1]).toBe(
      '?experiment=digits&epoch=a&since=1'
    );
    expect(model.runs.map(({ status }) => status)).toEqual([
      'running',
      'completed',
      'running'
    ]);
    expect(model.runs[0]).toBe(first);
  });

  it('drops deleted runs', async () => {
    const model = service.watch('digits');
    await service.refresh();
    server.answer = {
      ...server.answer,
      full: false,
      rev: 2,
      runs: [run(1, { status: 'deleted' })]
    };
    await service.refresh();
    expect(model.runs.map(({ run_id }) => run_id)).toEqual([2]);
  });

  it('keeps races as they are until they stand otherwise', async () => {
    const model = service.watch('digits');
    const changed = jest.fn();
    await service.refresh();
    expect(model.races).toEqual([]);
    model.changed.connect(changed);
    const told = {
      ...server.answer,
      full: false,
      runs: [],
      notices: undefined
    };
    server.answer = { ...told, rev: 2, races: [fakeRace()] };
    await service.refresh();
    const [first] = model.races;
    expect(first).toEqual(fakeRace());
    expect(changed).toHaveBeenCalledTimes(1);
    server.answer = { ...told, rev: 3, races: [fakeRace()] };
    await service.refresh();
    server.answer = { ...told, rev: 3 };
    await service.refresh();
    expect(model.races[0]).toBe(first);
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it('asks for everything when other knobs tell the runs apart', async () => {
    const model = service.watch('digits');
    await service.refresh();
    const all = { ...server.answer, rev: 3, knob_names: ['train.epochs'] };
    server.answer = { ...all, full: false, runs: [run(2)] };
    const answers = [server.answer, { ...all, full: true }];
    jest
      .spyOn(server as unknown as { _body: () => unknown }, '_body')
      .mockImplementation(() => answers.shift() ?? server.answer);
    await service.refresh();
    expect(model.knobNames).toEqual(['train.epochs']);
    expect(model.runs.length).toBe(2);
    expect(server.queries[server.queries.length - 1]).toBe(
      '?experiment=digits'
    );
  });

  it('follows the newest experiment', async () => {
    const model = service.watch(null);
    await service.refresh();
    expect(server.queries[0]).toBe('');
    server.answer = {
      ...server.answer,
      experiment: 'letters',
      full: false,
      rev: 8,
      runs: []
    };
    const full = { ...server.answer, full: true, runs: [run(1)] };
    const answers = [server.answer, full];
    jest
      .spyOn(server as unknown as { _body: () => unknown }, '_body')
      .mockImplementation(() => answers.shift() ?? full);
    await service.refresh();
    expect(model.experiment).toBe('letters');
    expect(model.runs.length).toBe(1);
  });

  it('asks for everything when the key metric is another', async () => {
    const model = service.watch('digits');
    await service.refresh();
    model.setMetric('accuracy');
    await service.refresh();
    expect(server.queries).toContain('?experiment=digits&metric=accuracy');
  });

  it('starts with the default metric, also where that comes late', async () => {
    const early = service.watch('digits');
    await service.refresh();
    service.defaultMetric = 'accuracy';
    await service.refresh();
    expect(server.queries).toContain('?experiment=digits&metric=accuracy');
    service.watch('letters');
    await service.refresh();
    expect(server.queries).toContain('?experiment=letters&metric=accuracy');
    early.setMetric('loss');
    service.defaultMetric = 'f1';
    await service.refresh();
    expect(server.queries).toContain('?experiment=letters&metric=f1');
    expect(server.queries).toContain('?experiment=digits&metric=loss');
    expect(server.queries).not.toContain('?experiment=digits&metric=f1');
  });

  it('shares one state and one question between handles', async () => {
    const [one, two] = [service.watch('digits'), service.watch('digits')];
    await service.refresh();
    expect(one.runs).toBe(two.runs);
    expect(server.queries.length).toBe(1);
    one.dispose();
    expect(one.isDisposed).toBe(true);
    await service.refresh();
    expect(server.queries.length).toBe(2);
  });

  it('tells once that a run has ended, whoever watches', async () => {
    service.watch('digits');
    service.watch(null);
    await service.refresh();
    const told: string[] = [];
    service.runEnded.connect((_, { experiment, run }) =>
      told.push(`${experiment} ${run.run_id} ${run.status}`)
    );
    server.answer = {
      ...server.answer,
      full: false,
      rev: 2,
      runs: [run(2, { status: 'failed', ended: 4 })]
    };
    await service.refresh();
    expect(told).toEqual(['digits 2 failed']);
  });

  it('passes on what an idle engine has to say', async () => {
    const model = service.watch('digits');
    await service.refresh();
    server.answer = {
      ...server.answer,
      full: false,
      rev: 2,
      runs: [],
      notices: ['Slot 1 was killed.']
    };
    await service.refresh();
    expect(model.notices).toEqual(['Slot 1 was killed.']);
    expect(model.runs.length).toBe(2);
  });

  it('does not take runs that it never saw train for news', async () => {
    server.answer.runs = [run(1, { status: 'completed' })];
    const told = jest.fn();
    service.runEnded.connect(told);
    service.watch('digits');
    await service.refresh();
    expect(told).not.toHaveBeenCalled();
  });

  it('keeps the last numbers while the server is away, and goes on', async () => {
    const model = service.watch('digits');
    await service.refresh();
    server.failures = [NETWORK];
    await service.refresh();
    expect(service.connection).toBe('offline');
    expect(service.lastSeen).not.toBeNull();
    expect(model.runs.length).toBe(2);
    await service.refresh();
    expect(service.connection).toBe('online');
  });

  it('says that the server part is missing', async () => {
    server.failures = [new Response('<html></html>', { status: 404 })];
    service.watch('digits');
    await service.refresh();
    expect(service.connection).toBe('unavailable');
    expect((service.problem as Error).name).toBe('ServerExtensionMissingError');
  });

  it('tells a view that its experiment does not exist', async () => {
    const model = service.watch('digits');
    await service.refresh();
    server.failures = [
      new Response('{"message": "There is no experiment."}', { status: 404 })
    ];
    await service.refresh();
    expect((model.problem as Error).message).toBe('There is no experiment.');
    expect(service.connection).toBe('online');
    await service.refresh();
    expect(model.problem).toBeNull();
  });

  it('repeats a lost operation under the same id', async () => {
    service.watch('digits');
    await service.refresh();
    server.failures = [NETWORK];
    const answer = await service.operate('digits', {
      operation: 'stop',
      run_ids: [1]
    });
    expect(answer.operation_ids).toEqual([7]);
    const ids = server.posted.map(({ body }) => body.request_id);
    expect(ids.length).toBe(2);
    expect(ids[0]).toBe(ids[1]);
  });

  it('marks a run as asked until its operation is answered', async () => {
    const model = service.watch('digits');
    await service.refresh();
    const done = service.operate('digits', { operation: 'stop', run_ids: [1] });
    expect(model.pending(1)).toBe('stop');
    expect(model.pending(2)).toBeNull();
    await done;
    expect(model.pending(1)).toBeNull();
  });

  it('lets go of a refused operation', async () => {
    const model = service.watch('digits');
    await service.refresh();
    server.failures = [
      new Response('{"message": "Run 1 is completed."}', { status: 409 })
    ];
    const request = service.operate('digits', {
      operation: 'stop',
      run_ids: [1]
    });
    await expect(request).rejects.toThrow('Run 1 is completed.');
    expect(model.pending(1)).toBeNull();
  });

  it('rejects with what stands against a clone', async () => {
    const check = service.checkClone('digits', { operation: 'clone' });
    await expect(check).rejects.toThrow(CloneRefusedError);
    await expect(check).rejects.toThrow('No such optimizer.');
  });

  it('links to MLflow below the base URL, or where it is', () => {
    const experiment = {
      name: 'digits',
      status: 'live' as const,
      created: 1,
      ended: null,
      path: '/',
      runs: 1,
      mlflow_url: 'rapidfire-lab/mlflow/'
    };
    expect(service.mlflowUrl(experiment)).toBe(
      'http://localhost/user/ada/rapidfire-lab/mlflow/'
    );
    const remote = { ...experiment, mlflow_url: 'https://mlflow.example' };
    expect(service.mlflowUrl(remote)).toBe('https://mlflow.example');
    expect(service.mlflowUrl({ ...experiment, mlflow_url: null })).toBeNull();
  });

  it('rests while the page is hidden and nothing trains', async () => {
    jest.useFakeTimers();
    try {
      server.answer.runs = [run(1, { status: 'completed' })];
      service.watch('digits');
      await service.refresh();
      hidden = true;
      const asked = server.queries.length;
      await jest.advanceTimersByTimeAsync(300_000);
      expect(server.queries.length).toBe(asked);
    } finally {
      jest.useRealTimers();
    }
  });

  it('goes on slowly while the page is hidden and runs train', async () => {
    jest.useFakeTimers();
    try {
      const model = service.watch('digits');
      await service.refresh();
      hidden = true;
      document.dispatchEvent(new Event('visibilitychange'));
      const asked = server.queries.length;
      await jest.advanceTimersByTimeAsync(90_000);
      const more = server.queries.length - asked;
      expect(more).toBeGreaterThanOrEqual(2);
      expect(more).toBeLessThanOrEqual(4);
      model.dispose();
    } finally {
      jest.useRealTimers();
    }
  });
});
