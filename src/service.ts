import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { CloneRefusedError, RestApi } from './api';
import { RunsModel, RunsState } from './model';
import {
  Connection,
  EngineState,
  IArtifact,
  ICloneCheck,
  IDefinedPlot,
  IEngineStatus,
  IEvent,
  IJob,
  IExperiment,
  ILogText,
  IMetric,
  IOperation,
  IOperationAnswer,
  IOperationRequest,
  IPage,
  IPageQuery,
  IRun,
  IRunDetail,
  IRunsModel,
  IRunService,
  ISeriesAnswer,
  ISeriesQuery,
  OperationName
} from './tokens';

const ACTIVE_MS = 1000;
const QUIET_MS = 5000;
const HIDDEN_MS = 30000;
const LONGEST_BACKOFF_MS = 15000;
const SLOWEST_MS = 600_000;
const RETRIES = 3;
const RETRY_MS = 1000;

export namespace RunService {
  export interface IOptions {
    settings: ServerConnection.ISettings;

    /** Whether the page is hidden; by default what the document says. */
    isHidden?: () => boolean;
  }
}

/**
 * Polls the server for all views of the page, and carries their operations to it.
 */
export class RunService implements IRunService {
  constructor(options: RunService.IOptions) {
    this._api = new RestApi(options.settings);
    this._isHidden = options.isHidden ?? (() => document.hidden);
    this._poll = new Poll({
      auto: true,
      factory: () => this.refresh(),
      frequency: { backoff: false, interval: ACTIVE_MS, max: SLOWEST_MS },
      name: 'rapidfire-lab:runs',
      standby: () => this._mayRest()
    });
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get runEnded(): ISignal<this, { experiment: string; run: IRun }> {
    return this._runEnded;
  }

  get connection(): Connection {
    return this._connection;
  }

  get problem(): unknown {
    return this._problem;
  }

  get lastSeen(): number | null {
    return this._lastSeen;
  }

  get engine(): EngineState {
    return this._engine;
  }

  get experiments(): readonly IExperiment[] {
    return this._experiments;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** Milliseconds between two questions while runs train. */
  set refreshInterval(milliseconds: number) {
    this._refreshInterval = milliseconds;
    this._setPace();
  }

  /** Whether to go on asking, slowly, while the page is hidden and runs train. */
  set refreshIfHidden(value: boolean) {
    this._refreshIfHidden = value;
  }

  /** The key metric until a view chooses one; null leaves it to the server. */
  set defaultMetric(name: string | null) {
    if (name === this._defaultMetric) {
      return;
    }
    this._defaultMetric = name;
    // Settings come later than the first views.
    for (const { state } of this._watched.values()) {
      state.defaultMetric = name;
    }
    if (this._watched.size) {
      void this.refresh();
    }
  }

  watch(experiment: string | null): IRunsModel {
    const watched = this._watched.get(experiment) ?? this._begin(experiment);
    watched.handles += 1;
    return new RunsModel({
      state: watched.state,
      refresh: () => void this.refresh(),
      pending: (name, runId) => this._pending.get(`${name}/${runId}`) ?? null,
      release: () => {
        watched.handles -= 1;
        if (watched.handles === 0) {
          this._watched.delete(experiment);
          Signal.clearData(watched.state);
        }
      }
    });
  }

  refresh(): Promise<void> {
    // A question that is under way may have been answered before what its asker wants to see
    // happened; one that waits for its turn serves all who ask meanwhile.
    this._waiting ??= this._underWay.then(() => {
      this._waiting = null;
      this._underWay = this._round();
      return this._underWay;
    });
    return this._waiting;
  }

  status(): Promise<IEngineStatus> {
    return this._api.engine();
  }

  async startEngine(): Promise<void> {
    await this._api.steerEngine('start');
    await this.refresh();
  }

  async stopEngine(): Promise<void> {
    await this._api.steerEngine('stop');
    await this.refresh();
  }

  async operate(
    experiment: string,
    request: IOperationRequest
  ): Promise<IOperationAnswer> {
    const keys = (request.run_ids ?? []).map(id => `${experiment}/${id}`);
    keys.forEach(key => this._pending.set(key, request.operation));
    this._tell(experiment);
    try {
      const answer = await this._insist(experiment, request);
      await this.refresh();
      return answer;
    } finally {
      keys.forEach(key => this._pending.delete(key));
      this._tell(experiment);
    }
  }

  async checkClone(
    experiment: string,
    request: IOperationRequest
  ): Promise<ICloneCheck> {
    const { clones, problem } = await this._api.check(experiment, request);
    if (problem !== null) {
      throw new CloneRefusedError(problem);
    }
    return { clones };
  }

  run(experiment: string, runId: number): Promise<IRunDetail> {
    return this._api.run(experiment, runId);
  }

  async metrics(experiment: string): Promise<IMetric[]> {
    return (await this._api.metrics(experiment)).metrics;
  }

  series(experiment: string, query: ISeriesQuery): Promise<ISeriesAnswer> {
    return this._api.series(experiment, query);
  }

  async plots(experiment: string): Promise<IDefinedPlot[]> {
    return (await this._api.plots(experiment)).plots;
  }

  events(experiment: string, query: IPageQuery): Promise<IPage<IEvent>> {
    return this._api.events(experiment, query);
  }

  operations(
    experiment: string,
    query: IPageQuery
  ): Promise<IPage<IOperation>> {
    return this._api.operations(experiment, query);
  }

  async jobs(experiment: string): Promise<IJob[]> {
    return (await this._api.jobs(experiment)).jobs;
  }

  log(experiment: string, runId: number, offset: number): Promise<ILogText> {
    return this._api.log(experiment, runId, offset);
  }

  async artifacts(experiment: string): Promise<IArtifact[]> {
    return (await this._api.artifacts(experiment)).artifacts;
  }

  artifactUrl(experiment: string, artifact: IArtifact): string {
    return this._api.artifactUrl(experiment, artifact.path);
  }

  mlflowUrl(
    experiment: IExperiment,
    mlflowRunId: string | null = null
  ): string | null {
    const url = experiment.mlflow_url;
    if (url === null) {
      return null;
    }
    const page = /^https?:/.test(url)
      ? url
      : URLExt.join(this._api.settings.baseUrl, url);
    return mlflowRunId ? `${page}#/runs/${mlflowRunId}` : page;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    document.removeEventListener('visibilitychange', this._onVisibility);
    this._poll.dispose();
    this._watched.clear();
    Signal.clearData(this);
  }

  private _begin(experiment: string | null): IWatched {
    const state = new RunsState(experiment, this._defaultMetric);
    state.ended.connect((_, run) => {
      const name = state.experiment ?? '';
      // The newest experiment may be watched under its name too.
      const key = `${name}/${run.run_id}/${run.ended}`;
      if (!this._told.has(key)) {
        this._told.add(key);
        this._runEnded.emit({ experiment: name, run });
      }
    });
    const watched = { state, handles: 0 };
    this._watched.set(experiment, watched);
    void this.refresh();
    return watched;
  }

  /** Never rejects: how it went is told by `connection`. */
  private async _round(): Promise<void> {
    if (this.isDisposed) {
      return;
    }
    try {
      await this._ask();
    } catch (problem) {
      this._fail(problem);
    }
    this._setPace();
  }

  private async _ask(): Promise<void> {
    if (this._connection !== 'online') {
      // Also after a restart of the server, which may have been an upgrade.
      await this._api.engine();
    }
    const states = [...this._watched.values()].map(({ state }) => state);
    for (const state of states) {
      await this._askFor(state);
    }
    this._failures = 0;
    this._lastSeen = Date.now();
    this._setConnection('online', null);
  }

  private async _askFor(state: RunsState): Promise<void> {
    for (let isComplete = false; !isComplete;) {
      const generation = state.generation;
      try {
        const answer = await this._api.runs(state.query());
        this._takeEngine(answer.engine.state, answer.experiments);
        isComplete = generation === state.generation && state.take(answer);
      } catch (problem) {
        if (!isNotFound(problem)) {
          throw problem;
        }
        state.fail(problem);
        isComplete = true;
      }
    }
  }

  private _takeEngine(engine: EngineState, experiments?: IExperiment[]): void {
    const isNews = engine !== this._engine || experiments !== undefined;
    this._engine = engine;
    this._experiments = experiments ?? this._experiments;
    if (isNews) {
      this._changed.emit();
    }
  }

  private _fail(problem: unknown): void {
    this._failures += 1;
    const isOffline = problem instanceof ServerConnection.NetworkError;
    this._setConnection(isOffline ? 'offline' : 'unavailable', problem);
  }

  private _setConnection(connection: Connection, problem: unknown): void {
    const isNews = connection !== this._connection;
    this._connection = connection;
    this._problem = problem;
    if (isNews) {
      this._changed.emit();
    }
  }

  /** Send an operation until it is answered; under one id, so that it is carried out once. */
  private async _insist(
    experiment: string,
    request: IOperationRequest
  ): Promise<IOperationAnswer> {
    const body = { ...request, request_id: UUID.uuid4() };
    for (let tries = 1; ; tries += 1) {
      try {
        return await this._api.operate(experiment, body);
      } catch (problem) {
        const isLost = problem instanceof ServerConnection.NetworkError;
        if (!isLost || tries === RETRIES) {
          throw problem;
        }
      }
      await new Promise(resolve => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Let the views of an experiment look at `pending` again. */
  private _tell(experiment: string): void {
    for (const { state } of this._watched.values()) {
      if (state.experiment === experiment) {
        state.changed.emit();
      }
    }
  }

  private get _isTraining(): boolean {
    return (
      this._engine !== 'not running' &&
      [...this._watched.values()].some(({ state }) => state.hasActiveRuns)
    );
  }

  private _mayRest(): boolean {
    if (this._watched.size === 0) {
      return true;
    }
    return this._isHidden() && !(this._refreshIfHidden && this._isTraining);
  }

  private _setPace(): void {
    if (this.isDisposed) {
      return;
    }
    const interval = this._interval();
    if (this._poll.frequency.interval !== interval) {
      this._poll.frequency = { backoff: false, interval, max: SLOWEST_MS };
      void this._poll.schedule();
    }
  }

  private _interval(): number {
    if (this._failures > 0) {
      return Math.min(ACTIVE_MS * 2 ** this._failures, LONGEST_BACKOFF_MS);
    }
    if (this._isHidden()) {
      return HIDDEN_MS;
    }
    return this._isTraining
      ? this._refreshInterval
      : Math.max(this._refreshInterval, QUIET_MS);
  }

  private _onVisibility = (): void => {
    if (!this._isHidden()) {
      void this.refresh();
    }
    this._setPace();
  };

  private readonly _api: RestApi;
  private readonly _isHidden: () => boolean;
  private readonly _poll: Poll;
  private readonly _watched = new Map<string | null, IWatched>();
  private readonly _pending = new Map<string, OperationName>();
  private readonly _told = new Set<string>();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _runEnded = new Signal<
    this,
    { experiment: string; run: IRun }
  >(this);
  private _connection: Connection = 'connecting';
  private _problem: unknown = null;
  private _lastSeen: number | null = null;
  private _engine: EngineState = 'not running';
  private _experiments: readonly IExperiment[] = [];
  private _failures = 0;
  private _refreshInterval = ACTIVE_MS;
  private _refreshIfHidden = true;
  private _defaultMetric: string | null = null;
  private _underWay: Promise<void> = Promise.resolve();
  private _waiting: Promise<void> | null = null;
}

interface IWatched {
  state: RunsState;
  handles: number;
}

function isNotFound(problem: unknown): boolean {
  return (
    problem instanceof ServerConnection.ResponseError &&
    problem.response.status === 404
  );
}
