import { Signal } from '@lumino/signaling';

import {
  Connection,
  EngineState,
  IExperiment,
  IOperationAnswer,
  IOperationRequest,
  IRun,
  IRunsModel,
  IRunService
} from '../tokens';

export function fakeRun(changes: Partial<IRun> = {}): IRun {
  return {
    run_id: 1,
    status: 'running',
    wanted: null,
    ended_by: null,
    source: 'grid',
    parent: null,
    warm_start: false,
    epochs: 2,
    completed_epochs: 0,
    steps_per_epoch: 10,
    step: 5,
    total_steps: 20,
    progress: 0.25,
    epoch_progress: 0.5,
    seconds: 3,
    seconds_left: null,
    created: 0,
    started: 0,
    ended: null,
    slot: null,
    device: null,
    error: null,
    loss: null,
    metrics: {},
    trend: [],
    knobs: { 'train.optimizer.args.lr': 0.1 },
    ...changes
  };
}

export function fakeExperiment(name: string): IExperiment {
  return {
    name,
    status: 'live',
    created: 0,
    ended: null,
    path: `/srv/lab/${name}`,
    runs: 1,
    mlflow_url: null
  };
}

/**
 * A run service that has one experiment, and notes what it is asked for.
 */
export class FakeService {
  readonly changed = new Signal<IRunService, void>(this.asService);
  readonly runEnded = new Signal<
    IRunService,
    { experiment: string; run: IRun }
  >(this.asService);
  readonly modelChanged = new Signal<this, void>(this);

  connection: Connection = 'online';
  problem: unknown = null;
  modelProblem: unknown = null;
  engine: EngineState = 'running';
  experiments: IExperiment[] = [fakeExperiment('digits')];
  experiment: string | null = 'digits';
  isReady = true;
  runs: IRun[] = [];

  /** How many handles are not disposed. */
  watched = 0;

  readonly status = jest.fn();
  readonly refresh = jest.fn(async () => undefined);
  readonly startEngine = jest.fn(async () => undefined);
  readonly stopEngine = jest.fn(async () => undefined);
  readonly operate = jest.fn(
    async (
      experiment: string,
      request: IOperationRequest
    ): Promise<IOperationAnswer> => ({ operation_ids: [], run_ids: [] })
  );

  get asService(): IRunService {
    return this as unknown as IRunService;
  }

  watch(asked: string | null): IRunsModel {
    this.watched += 1;
    return new FakeModel(this, asked) as unknown as IRunsModel;
  }

  /** Take new values over and tell of them. */
  tell(
    values: Partial<
      Pick<
        FakeService,
        | 'connection'
        | 'engine'
        | 'experiment'
        | 'experiments'
        | 'isReady'
        | 'modelProblem'
        | 'problem'
        | 'runs'
      >
    >
  ): void {
    Object.assign(this, values);
    this.changed.emit();
    this.modelChanged.emit();
  }

  end(...runs: IRun[]): void {
    for (const run of runs) {
      this.runEnded.emit({ experiment: this.experiment ?? '', run });
    }
  }
}

/**
 * A handle on the one experiment of the service.
 */
class FakeModel {
  constructor(
    private readonly _service: FakeService,
    private readonly _asked: string | null
  ) {
    _service.modelChanged.connect(this._forward, this);
  }

  readonly changed = new Signal<this, void>(this);
  isDisposed = false;

  get experiment(): string | null {
    return this._asked ?? this._service.experiment;
  }

  get isReady(): boolean {
    return this._service.isReady;
  }

  get problem(): unknown {
    return this._service.modelProblem;
  }

  get runs(): readonly IRun[] {
    return this._service.runs;
  }

  dispose(): void {
    this.isDisposed = true;
    this._service.watched -= 1;
    this._service.modelChanged.disconnect(this._forward, this);
  }

  private _forward(): void {
    this.changed.emit();
  }
}
