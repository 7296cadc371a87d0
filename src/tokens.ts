import { ReadonlyPartialJSONObject, Token } from '@lumino/coreutils';
import { IDisposable, IObservableDisposable } from '@lumino/disposable';
import { ISignal } from '@lumino/signaling';

// What the REST API answers, in its own words (docs/openapi.yaml). Times are seconds since 1970.

/** Whether an engine is alive, and has runs to train. */
export type EngineState = 'running' | 'idle' | 'not running';

/** Every status that the journal knows of a run. */
export type RunStatus =
  'queued' | 'running' | 'stopped' | 'completed' | 'failed' | 'deleted';

/** What can be asked of runs. */
export type OperationName = 'stop' | 'resume' | 'delete' | 'clone' | 'cancel';

/** What a log line is worth. */
export type EventLevel = 'info' | 'warning' | 'error';

/** Plain JSON: the values of knobs. */
export type KnobValue = ReadonlyPartialJSONObject[string];

/**
 * What the server knows about the engine: the processes that train.
 */
export interface IEngineStatus {
  /** Version of the Python package on the server. */
  version: string;

  /** Level of the REST API that the server speaks. */
  api_level: number;

  state: EngineState;

  /** Folder that the engine keeps its journal, experiments and logs in. */
  home: string;

  /** Stands for the home in notebook outputs, without giving its path away. */
  home_key: string;
}

/**
 * A named set of runs.
 */
export interface IExperiment {
  name: string;
  status: 'live' | 'ended';
  created: number;
  ended: number | null;

  /** Its folder. */
  path: string;

  /** How many runs it has, deleted ones left out. */
  runs: number;

  /** Where its MLflow is: relative to the server's base URL, absolute, or null when runs are not tracked. */
  mlflow_url: string | null;
}

/**
 * One run, as tables show it.
 */
export interface IRun {
  run_id: number;
  status: RunStatus;

  /** Asked for and not yet in effect: the run is stopping. */
  wanted: 'stopped' | null;

  /** Why a run ended, in a word: "epochs", "converged", "user", "policy", "error" ... */
  ended_by: string | null;

  source: string;

  /** Run id of the run that this one was cloned from. */
  parent: number | null;

  /** Name of the search that it is a trial of. */
  search: string | null;
  warm_start: boolean;
  epochs: number;
  completed_epochs: number;
  steps_per_epoch: number;

  /** Minibatches trained, over all epochs. */
  step: number;
  total_steps: number;

  /** Share of all epochs that is done, 0 to 1. */
  progress: number;

  /** Share of the present epoch that is done, 0 to 1. */
  epoch_progress: number;

  /** Seconds on a slot. */
  seconds: number;

  /** Seconds to the end at the pace so far, turns of other runs counted. */
  seconds_left: number | null;
  created: number;
  started: number | null;
  ended: number | null;
  slot: number | null;
  device: string | null;

  /** First line of what went wrong, of a failed run. */
  error: string | null;

  /** Loss of the last minibatch. */
  loss: number | null;

  /** Metrics of the last completed epoch; null stands for NaN and infinity. */
  metrics: { [name: string]: number | null };

  /** The table's key metric over the epochs (over minibatches before the first has ended), at most 24 values. */
  trend: (number | null)[];

  /** Values of the knobs that differ between the experiment's runs, by dotted path. */
  knobs: { [path: string]: KnobValue };
}

/**
 * Answer of `GET runs`: all runs of an experiment, or those that changed since a cursor.
 */
export interface IRunsAnswer {
  /** With `rev` the cursor of the next question; what it says is the server's own business. */
  epoch: string;
  rev: number;

  /** Whether `runs` is everything. If not, it is to be merged; deleted runs come once more, as such. */
  full: boolean;
  engine: { state: EngineState };

  /** The experiment that the runs are of; null when there is none yet. */
  experiment: string | null;

  /** All experiments, newest first; left out when none changed. */
  experiments?: IExperiment[];

  runs: IRun[];

  /** Knobs that differ between the runs; left out, like the next ones, when `runs` is empty and not full. */
  knob_names?: string[];

  /** Metrics of epochs that any run has, most telling first. */
  metric_names?: string[];

  /** The key metric, which `trend` shows; null before there are any points. */
  metric?: string | null;

  /** The last few warnings of the engine itself since it was started; left out when there are no new ones. */
  notices?: string[];

  /** How races stand; left out when nothing at all has changed. */
  races?: IRace[];
}

/**
 * A search that compares runs on the same parts of the data, and drops those that are credibly worse.
 */
export interface IRace {
  search: string;
  metric: string;
  mode: 'min' | 'max';

  /** Chance that all intervals hold at all times. */
  confidence: number;

  /** The run that the others are held against; null before any two were compared. */
  best: number | null;
  intervals: IInterval[];
}

/**
 * The mean difference of a run's metric to that of the best run, with what it may be at the confidence.
 */
export interface IInterval {
  run_id: number;

  /** How many places of the data it was taken from. */
  places: number;
  difference: number;

  /** null: it is too early to tell. */
  low: number | null;
  high: number | null;
}

/**
 * One run with everything that is known of it.
 */
export interface IRunDetail extends IRun {
  experiment: string;

  /** The canonical config; values that look like secrets are hidden. */
  config: IRunConfig;
  traceback: string | null;

  /** Position of its last commit, which a warm start would begin with. */
  committed_step: number;

  /** Position of the parent that a warm start took over. */
  parent_step: number | null;

  /** Whether a warm start goes on at that position, instead of at a first epoch of its own. */
  continue_position: boolean;

  /** What a warm start carried over from the parent, and what not. */
  carried: ReadonlyPartialJSONObject | null;

  /** Run ids of its clones. */
  clones: number[];
  seed: number;
  num_chunks: number | null;

  /** How it was trained last, where `run_fit` was asked to fuse runs: "as one model with 3 others". */
  fusion: string | null;
  mlflow_run_id: string | null;
}

/**
 * A canonical config.
 */
export interface IRunConfig {
  train: { [key: string]: KnobValue };
  user_knobs: { [key: string]: KnobValue };
  named_metrics: string[];
  fsdp_layer_cls: string[];
}

/** A metric that an experiment has points of. */
export interface IMetric {
  name: string;
  per: 'step' | 'epoch';
}

/** A plot that trials of a model template have defined. */
export interface IDefinedPlot {
  title: string;

  /** Drawn upwards. */
  metrics: string[];

  /** The metric that is drawn sideways; null stands for the time since the run began. */
  x_axis: string | null;

  /** The trials that have defined it. */
  run_ids: number[];
}

/** Minibatches from 1, or seconds since the experiment was created or the run began. */
export type SeriesX = 'step' | 'time' | 'run_time';

/**
 * Points of one metric, downsampled by the smallest and largest value of each stretch.
 */
export interface ISeriesAnswer {
  metric: string;
  per: 'step' | 'epoch';

  /** Meaning of `x`, unless the question has named a metric for it. */
  x: SeriesX;
  series: ISeries[];
}

export interface ISeries {
  run_id: number;
  x: number[];

  /** null is a gap: the value was no finite number. */
  y: (number | null)[];

  /** How many points these were taken from. */
  points: number;
}

/** A line of the experiment log. */
export interface IEvent {
  id: number;
  time: number;
  run_id: number | null;
  level: EventLevel;
  message: string;
}

/** A line of the control ops log: an operation that was carried out. */
export interface IOperation {
  id: number;
  time: number;
  run_id: number | null;

  /** Last commit of the run when the operation met it; null in lines of older engines. */
  step: number | null;
  operation: string;

  /** Who asked: "user", or what else did, such as "policy halving". */
  origin: string;
  arguments: ReadonlyPartialJSONObject;
  result: string;
}

/** A test or a prediction. */
export interface IJob {
  /** Counts within the experiment. */
  job_id: number;
  kind: 'test' | 'predict';

  /** Whose weights it uses; null with a model tag. */
  run_id: number | null;

  /** null for the last commit. */
  epoch: number | null;
  model_tag: string | null;
  rows: number;
  status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

  /** From 0 to 1. */
  progress: number;

  /** Of a completed test; null stands for NaN. */
  metrics: { [name: string]: number | null } | null;

  /** File that a prediction is written to. */
  target: string | null;
  error: string | null;
  created: number;
  started: number | null;
  ended: number | null;
}

/** A page of a log, oldest line first. */
export interface IPage<T> {
  items: T[];

  /** Whether there are older lines than the first of these. */
  more_before: boolean;

  /** Whether there are newer lines than the last of these. */
  more_after: boolean;
}

/** A stretch of what a run printed. */
export interface ILogText {
  text: string;

  /** Where the text starts, where the next question goes on, and where the log ends, in bytes. */
  offset: number;
  next_offset: number;
  size: number;
}

/** A file of an experiment. */
export interface IArtifact {
  /** Path in the experiment's folder. */
  path: string;
  kind: 'checkpoint' | 'metadata' | 'log' | 'plots' | 'prediction' | 'spec';
  run_id: number | null;

  /** Bytes. */
  size: number;
  modified: number;
}

/**
 * What is asked of runs.
 */
export interface IOperationRequest {
  operation: OperationName;

  /** The runs; nothing for "cancel", which stops all that are queued or running. */
  run_ids?: number[];

  /** The statuses that the user saw: if one has changed since, nothing is done (412). */
  seen?: { [run_id: string]: RunStatus };

  /**
   * For "clone": partial config. `{"$list": [...]}` and
   * `{"$range": {"start": ..., "end": ..., "log": ...}}` stand for `List` and `Range`.
   */
  changes?: ReadonlyPartialJSONObject;

  /** For "clone" with a range: how many clones to draw. */
  num_runs?: number;

  /** For "clone": start from the parent's weights. */
  warm_start?: boolean;

  /** With `warm_start`: go on at the parent's epoch and minibatch. */
  continue_position?: boolean;
}

/** An operation that was carried out. */
export interface IOperationAnswer {
  /** In the control ops log, one per run. */
  operation_ids: number[];

  /** The runs that were steered, or the clones that were made. */
  run_ids: number[];
}

/** What a clone would be. */
export interface ICloneCheck {
  clones: {
    parent: number;
    config: IRunConfig;

    /** Knobs that differ from the parent's, by dotted path; a knob that one lacks is null. */
    changed: { knob: string; from: KnobValue; to: KnobValue }[];
  }[];
}

// Access to all this in the page.

/**
 * How the page stands with the server.
 *
 * "offline": the server cannot be reached. "unavailable": it has no server part of ours, one of
 * another release, or an error of its own.
 */
export type Connection = 'connecting' | 'online' | 'offline' | 'unavailable';

/**
 * The one source of what every view of the page shows.
 */
export interface IRunService extends IDisposable {
  /** Emitted when any of the properties below changed. */
  readonly changed: ISignal<IRunService, void>;

  /** Emitted when a run ended, once per run, also while the page is hidden. */
  readonly runEnded: ISignal<IRunService, { experiment: string; run: IRun }>;

  readonly connection: Connection;

  /** What keeps `connection` from being online; `explainError` turns it into words. */
  readonly problem: unknown;

  /** When the server was last heard of, in milliseconds since 1970. */
  readonly lastSeen: number | null;

  /** As last told; while offline it may have changed. */
  readonly engine: EngineState;

  /** All experiments, newest first. */
  readonly experiments: readonly IExperiment[];

  /**
   * The runs of an experiment, kept up to date until the handle is disposed.
   *
   * @param experiment - Its name; null follows the newest.
   */
  watch(experiment: string | null): IRunsModel;

  /** Ask the server now instead of at the next tick. */
  refresh(): Promise<void>;

  /** Ask the server for everything about its engine; rejects with what `explainError` knows. */
  status(): Promise<IEngineStatus>;

  startEngine(): Promise<void>;

  /** Have the engine commit what it is doing, and exit. */
  stopEngine(): Promise<void>;

  /** Carry an operation out; a lost answer is asked for again under the same id. */
  operate(
    experiment: string,
    request: IOperationRequest
  ): Promise<IOperationAnswer>;

  /** What a clone would be, and whether the engine would take it. */
  checkClone(
    experiment: string,
    request: IOperationRequest
  ): Promise<ICloneCheck>;

  run(experiment: string, runId: number): Promise<IRunDetail>;
  metrics(experiment: string): Promise<IMetric[]>;
  series(experiment: string, query: ISeriesQuery): Promise<ISeriesAnswer>;

  /** The plots that trials of model templates have defined. */
  plots(experiment: string): Promise<IDefinedPlot[]>;
  events(experiment: string, query: IPageQuery): Promise<IPage<IEvent>>;
  operations(experiment: string, query: IPageQuery): Promise<IPage<IOperation>>;

  /** Tests and predictions, newest first. */
  jobs(experiment: string): Promise<IJob[]>;

  /** @param offset - In bytes; a negative one counts from the end. */
  log(experiment: string, runId: number, offset: number): Promise<ILogText>;
  artifacts(experiment: string): Promise<IArtifact[]>;

  /** Where the browser downloads an artifact. */
  artifactUrl(experiment: string, artifact: IArtifact): string;

  /** An `mlflow_url` as the browser needs it; of one run where it is given. */
  mlflowUrl(
    experiment: IExperiment,
    mlflowRunId?: string | null
  ): string | null;
}

export interface ISeriesQuery {
  metric: string;
  per: 'step' | 'epoch';
  x: SeriesX;

  /** The metric whose values stand in the place of `x`. */
  by?: string;

  /** Only these; all by default. */
  run_ids?: number[];

  /** Per run; the server may give fewer. */
  max_points?: number;
}

/** A page of a log: the newest lines, or those after or before one. */
export interface IPageQuery {
  after?: number;
  before?: number;
  limit?: number;
}

/**
 * The runs of one experiment, live. Several handles share one set of runs and one cursor.
 */
export interface IRunsModel extends IObservableDisposable {
  /** Emitted when any of the properties below changed. */
  readonly changed: ISignal<IRunsModel, void>;

  /** Name of the experiment; null while there is none. */
  readonly experiment: string | null;

  /** Whether the server has answered for this experiment. */
  readonly isReady: boolean;

  /** Why there is nothing to show (no such experiment, say); null when all is well. */
  readonly problem: unknown;

  /** By run id; deleted runs are left out. A run that did not change stays the same object. */
  readonly runs: readonly IRun[];

  readonly knobNames: readonly string[];
  readonly metricNames: readonly string[];

  /** The key metric, of sparklines and of comparisons. */
  readonly metric: string | null;
  setMetric(name: string): void;

  readonly notices: readonly string[];

  /** Stays the same object while nothing in it changes. */
  readonly races: readonly IRace[];

  /** The operation that a run was asked for from this page and that is not yet in effect. */
  pending(runId: number): OperationName | null;
}

export const IRunService = new Token<IRunService>(
  'rapidfire-lab:IRunService',
  'Live runs of the RapidFire Lab engine behind this Jupyter server, and control over them.'
);

/**
 * What buttons, menus and commands do with runs. Errors are shown to the user, never thrown.
 */
export interface IRunActions {
  stop(experiment: string, runs: readonly IRun[]): Promise<void>;
  resume(experiment: string, runs: readonly IRun[]): Promise<void>;

  /** Asks first, naming what will be deleted. */
  delete(experiment: string, runs: readonly IRun[]): Promise<void>;

  /** Opens the Clone-Modify dialog. */
  clone(experiment: string, run: IRun): Promise<void>;

  startEngine(): Promise<void>;

  /** Asks first where runs are active. */
  stopEngine(): Promise<void>;

  /** Opens the dashboard in the main area; of the newest experiment for null. */
  openDashboard(experiment: string | null): Promise<void>;
}

export const IRunActions = new Token<IRunActions>(
  'rapidfire-lab:IRunActions',
  'What buttons, menus and commands do with runs of RapidFire Lab, dialogs and error messages included.'
);
