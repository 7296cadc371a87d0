import { ISignal, Signal } from '@lumino/signaling';

import { IRunsQuery } from './api';
import { isActive } from './runs';
import { IRace, IRun, IRunsAnswer, IRunsModel, OperationName } from './tokens';

/**
 * The runs of one experiment as the server last told them, shared by all views of it.
 */
export class RunsState {
  /**
   * @param asked - Name of the experiment; null follows the newest.
   * @param defaultMetric - Until a view chooses one; null leaves it to the server, and so does one
   * that the runs do not have.
   */
  constructor(
    readonly asked: string | null,
    defaultMetric: string | null = null
  ) {
    this._defaultMetric = defaultMetric;
  }

  readonly changed = new Signal<this, void>(this);

  /** Emitted with each run that was active when last seen and has ended since. */
  readonly ended = new Signal<this, IRun>(this);

  experiment: string | null = null;
  isReady = false;
  problem: unknown = null;
  runs: readonly IRun[] = [];
  knobNames: readonly string[] = [];
  metricNames: readonly string[] = [];
  metric: string | null = null;
  notices: readonly string[] = [];
  races: readonly IRace[] = [];

  get hasActiveRuns(): boolean {
    return this.runs.some(isActive);
  }

  /**
   * What to ask the server next: everything, or what changed since the last answer.
   */
  query(): IRunsQuery {
    const query: IRunsQuery = {};
    if (this.asked !== null) {
      query.experiment = this.asked;
    }
    const metric = this._chosenMetric ?? this._defaultMetric;
    if (metric !== null) {
      query.metric = metric;
    }
    return { ...query, ...this._cursor };
  }

  /** Grows when what was asked before is no longer wanted. */
  get generation(): number {
    return this._generation;
  }

  chooseMetric(name: string): void {
    if (name !== this._chosenMetric) {
      this._chosenMetric = name;
      this.askForAll();
    }
  }

  set defaultMetric(name: string | null) {
    if (name !== this._defaultMetric) {
      this._defaultMetric = name;
      if (this._chosenMetric === null) {
        this.askForAll();
      }
    }
  }

  askForAll(): void {
    this._cursor = null;
    this._generation += 1;
  }

  /**
   * Take an answer over.
   *
   * @returns Whether that was all; if not, everything has to be asked for.
   */
  take(answer: IRunsAnswer): boolean {
    if (!answer.full && this._isOutgrownBy(answer)) {
      this.askForAll();
      return false;
    }
    const isOfRaces =
      answer.races !== undefined && !isSame(this.races, answer.races);
    const isNews =
      !this.isReady ||
      isOfRaces ||
      this.problem !== null ||
      answer.full ||
      answer.notices !== undefined ||
      answer.runs.length > 0;
    this._cursor = { epoch: answer.epoch, since: answer.rev };
    this.isReady = true;
    this.problem = null;
    if (isNews) {
      this._merge(answer);
      this.races = isOfRaces ? (answer.races ?? []) : this.races;
      this.changed.emit();
    }
    return true;
  }

  fail(problem: unknown): void {
    const isNews = this.problem === null;
    this.isReady = true;
    this.problem = problem;
    this.runs = [];
    this.races = [];
    this.askForAll();
    if (isNews) {
      this.changed.emit();
    }
  }

  /** Another experiment became the newest, or other knobs tell the runs apart now. */
  private _isOutgrownBy(answer: IRunsAnswer): boolean {
    return (
      answer.experiment !== this.experiment ||
      (answer.knob_names !== undefined &&
        answer.knob_names.join('\n') !== this.knobNames.join('\n'))
    );
  }

  private _merge(answer: IRunsAnswer): void {
    const known =
      answer.experiment === this.experiment
        ? new Map(this.runs.map(run => [run.run_id, run]))
        : new Map<number, IRun>();
    const merged = answer.full ? new Map<number, IRun>() : new Map(known);
    const ended: IRun[] = [];
    for (const told of answer.runs) {
      const before = known.get(told.run_id);
      const run = before && isSame(before, told) ? before : told;
      if (run.status === 'deleted') {
        merged.delete(run.run_id);
        continue;
      }
      merged.set(run.run_id, run);
      if (before && isActive(before) && !isActive(run)) {
        ended.push(run);
      }
    }
    this.runs = [...merged.values()].sort((a, b) => a.run_id - b.run_id);
    this.experiment = answer.experiment;
    this.knobNames = answer.knob_names ?? this.knobNames;
    this.metricNames = answer.metric_names ?? this.metricNames;
    this.metric = answer.metric === undefined ? this.metric : answer.metric;
    this.notices = answer.notices ?? this.notices;
    ended.forEach(run => this.ended.emit(run));
  }

  private _cursor: { epoch: string; since: number } | null = null;
  private _chosenMetric: string | null = null;
  private _defaultMetric: string | null;
  private _generation = 0;
}

function isSame<T>(before: T, told: T): boolean {
  return JSON.stringify(before) === JSON.stringify(told);
}

/** What the service does for its models. */
interface IRunsModelOptions {
  state: RunsState;

  /** Have the server asked soon. */
  refresh: () => void;
  pending: (experiment: string, runId: number) => OperationName | null;
  release: () => void;
}

/**
 * A view's handle on the runs of an experiment.
 */
export class RunsModel implements IRunsModel {
  constructor(private readonly _options: IRunsModelOptions) {
    this._options.state.changed.connect(this._forward, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get disposed(): ISignal<this, void> {
    return this._disposed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get experiment(): string | null {
    return this._state.experiment ?? this._state.asked;
  }

  get isReady(): boolean {
    return this._state.isReady;
  }

  get problem(): unknown {
    return this._state.problem;
  }

  get runs(): readonly IRun[] {
    return this._state.runs;
  }

  get knobNames(): readonly string[] {
    return this._state.knobNames;
  }

  get metricNames(): readonly string[] {
    return this._state.metricNames;
  }

  get metric(): string | null {
    return this._state.metric;
  }

  get notices(): readonly string[] {
    return this._state.notices;
  }

  get races(): readonly IRace[] {
    return this._state.races;
  }

  setMetric(name: string): void {
    this._state.chooseMetric(name);
    this._options.refresh();
  }

  pending(runId: number): OperationName | null {
    const experiment = this.experiment;
    return experiment === null
      ? null
      : this._options.pending(experiment, runId);
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._options.release();
    this._disposed.emit();
    Signal.clearData(this);
  }

  private get _state(): RunsState {
    return this._options.state;
  }

  private _forward(): void {
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _disposed = new Signal<this, void>(this);
  private _isDisposed = false;
}
