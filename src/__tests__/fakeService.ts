import { Signal } from '@lumino/signaling';

import {
  Connection,
  EngineState,
  IExperiment,
  IInterval,
  IRace,
  IRun,
  IRunActions,
  IRunDetail,
  IRunService,
  IRunsModel,
  OperationName
} from '../tokens';

/**
 * A run in the middle of its training, apart from what `options` says.
 */
export function fakeRun(options: Partial<IRun> = {}): IRun {
  return {
    run_id: 1,
    status: 'running',
    wanted: null,
    ended_by: null,
    source: 'run_fit',
    parent: null,
    search: null,
    warm_start: false,
    epochs: 10,
    completed_epochs: 2,
    steps_per_epoch: 100,
    step: 250,
    total_steps: 1000,
    progress: 0.25,
    epoch_progress: 0.5,
    seconds: 75,
    seconds_left: 225,
    created: 1_700_000_000,
    started: 1_700_000_010,
    ended: null,
    slot: 0,
    device: 'cuda:0',
    error: null,
    loss: 0.5,
    metrics: { val_loss: 0.4, top1_accuracy: 0.8 },
    trend: [0.9, 0.6, 0.4],
    knobs: { 'train.optimizer.args.lr': 0.01 },
    ...options
  };
}

export function fakeDetail(run: IRun, options: Partial<IRunDetail> = {}) {
  const detail: IRunDetail = {
    ...run,
    experiment: 'flowers',
    config: {
      train: {
        epochs: run.epochs,
        batch_size: 32,
        optimizer: { name: 'AdamW', args: { lr: 0.01 } }
      },
      user_knobs: { hidden: 8 },
      named_metrics: ['top1_accuracy'],
      fsdp_layer_cls: []
    },
    traceback: null,
    committed_step: run.step,
    parent_step: null,
    continue_position: false,
    carried: null,
    clones: [],
    seed: 42,
    num_chunks: null,
    fusion: null,
    mlflow_run_id: null,
    ...options
  };
  return detail;
}

export function fakeExperiment(
  options: Partial<IExperiment> = {}
): IExperiment {
  return {
    name: 'flowers',
    status: 'live',
    created: 1_700_000_000,
    ended: null,
    path: '/srv/lab/experiments/flowers',
    runs: 3,
    mlflow_url: null,
    ...options
  };
}

/** The difference of run 1 to the best, which is credibly worse. */
export function fakeInterval(options: Partial<IInterval> = {}): IInterval {
  return {
    run_id: 1,
    places: 30,
    difference: 0.1,
    low: 0.02,
    high: 0.18,
    ...options
  };
}

/** A race that run 2 leads; of run 3 little is known. */
export function fakeRace(options: Partial<IRace> = {}): IRace {
  const early = { run_id: 3, places: 1, difference: 0.5 };
  return {
    search: 'racing',
    metric: 'chunk_loss',
    mode: 'min',
    confidence: 0.95,
    best: 2,
    intervals: [fakeInterval(), { ...early, low: null, high: null }],
    ...options
  };
}

interface IEnded {
  experiment: string;
  run: IRun;
}

type Method<K extends keyof IRunService> = Extract<
  IRunService[K],
  (...args: never[]) => unknown
>;

function mocked<K extends keyof IRunService>(
  answer: Method<K>
): jest.MockedFunction<Method<K>> {
  return jest.fn(answer) as unknown as jest.MockedFunction<Method<K>>;
}

type Changes<T> = Partial<{ -readonly [K in keyof T]: T[K] }>;

/**
 * Runs that change when a test says so, with `update`.
 */
export class FakeRuns implements IRunsModel {
  constructor(options: Changes<FakeRuns> = {}) {
    Object.assign(this, options);
  }

  readonly changed: Signal<IRunsModel, void> = new Signal<IRunsModel, void>(
    this
  );
  readonly disposed: Signal<this, void> = new Signal<this, void>(this);
  readonly experiment: string | null = 'flowers';
  readonly isReady: boolean = true;
  readonly problem: unknown = null;
  readonly runs: readonly IRun[] = [];
  readonly knobNames: readonly string[] = ['train.optimizer.args.lr'];
  readonly metricNames: readonly string[] = ['val_loss', 'top1_accuracy'];
  readonly metric: string | null = 'val_loss';
  readonly notices: readonly string[] = [];
  readonly races: readonly IRace[] = [];
  isDisposed = false;

  /** What `pending` answers. */
  readonly asked: { [runId: number]: OperationName } = {};

  readonly setMetric = jest.fn((name: string) => this.update({ metric: name }));

  pending(runId: number): OperationName | null {
    return this.asked[runId] ?? null;
  }

  /** Change some properties, and tell everyone. */
  update(options: Changes<FakeRuns>): void {
    Object.assign(this, options);
    this.changed.emit();
  }

  /** Put a run in the place of the one with its id. */
  replace(run: IRun): void {
    const runs = this.runs.map(old => (old.run_id === run.run_id ? run : old));
    this.update({ runs });
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.isDisposed = true;
      this.disposed.emit();
      Signal.clearData(this);
    }
  }
}

/**
 * A service whose server is whatever a test says; its methods are mocks.
 */
export class FakeService implements IRunService {
  constructor(options: Changes<FakeService> = {}) {
    Object.assign(this, options);
  }

  readonly changed: Signal<IRunService, void> = new Signal<IRunService, void>(
    this
  );
  readonly runEnded: Signal<IRunService, IEnded> = new Signal<
    IRunService,
    IEnded
  >(this);
  readonly connection: Connection = 'online';
  readonly problem: unknown = null;
  readonly lastSeen: number | null = Date.now();
  readonly engine: EngineState = 'running';
  readonly experiments: readonly IExperiment[] = [fakeExperiment()];
  isDisposed = false;

  /** What `watch` hands out, and `run` takes its runs from. */
  readonly model: FakeRuns = new FakeRuns();

  readonly watch = mocked<'watch'>(() => this.model);
  readonly refresh = mocked<'refresh'>(() => Promise.resolve());
  readonly startEngine = mocked<'startEngine'>(() => Promise.resolve());
  readonly stopEngine = mocked<'stopEngine'>(() => Promise.resolve());

  readonly status = mocked<'status'>(async () => ({
    version: '0.1.0',
    api_level: 2,
    state: this.engine,
    home: '/srv/lab',
    home_key: 'key'
  }));

  readonly operate = mocked<'operate'>(async (_, { run_ids = [] }) => ({
    operation_ids: run_ids,
    run_ids
  }));

  readonly checkClone = mocked<'checkClone'>(async () => ({ clones: [] }));

  readonly run = mocked<'run'>(async (_, runId) => {
    const run = this.model.runs.find(({ run_id }) => run_id === runId);
    if (!run) {
      throw new Error(`There is no run ${runId}.`);
    }
    return fakeDetail(run);
  });

  readonly metrics = mocked<'metrics'>(async () =>
    this.model.metricNames.map(name => ({ name, per: 'epoch' }))
  );

  readonly series = mocked<'series'>(async (_, { metric, per, x }) => ({
    metric,
    per,
    x,
    series: []
  }));

  readonly plots = mocked<'plots'>(async () => []);

  readonly events = mocked<'events'>(async () => ({
    items: [],
    more_before: false,
    more_after: false
  }));

  readonly operations = mocked<'operations'>(async () => ({
    items: [],
    more_before: false,
    more_after: false
  }));

  readonly jobs = mocked<'jobs'>(async () => []);

  readonly log = mocked<'log'>(async () => ({
    text: '',
    offset: 0,
    next_offset: 0,
    size: 0
  }));

  readonly artifacts = mocked<'artifacts'>(async () => []);

  readonly artifactUrl = mocked<'artifactUrl'>(
    (experiment, { path }) => `/artifacts/${experiment}/${path}`
  );

  readonly mlflowUrl = mocked<'mlflowUrl'>(({ mlflow_url }) => mlflow_url);

  /** Change some properties, and tell everyone. */
  update(options: Changes<FakeService>): void {
    Object.assign(this, options);
    this.changed.emit();
  }

  dispose(): void {
    this.isDisposed = true;
    Signal.clearData(this);
  }
}

/**
 * Actions that do nothing but remember that they were called.
 */
export function fakeActions(): jest.Mocked<IRunActions> {
  return {
    stop: done<[string, readonly IRun[]]>(),
    resume: done<[string, readonly IRun[]]>(),
    delete: done<[string, readonly IRun[]]>(),
    clone: done<[string, IRun]>(),
    startEngine: done<[]>(),
    stopEngine: done<[]>(),
    openDashboard: done<[string | null]>()
  };
}

function done<A extends unknown[]>() {
  return jest.fn<Promise<void>, A>(() => Promise.resolve());
}
