import { IFit } from './outliers';

/** What the x axis of charts measures, as the user chooses. */
export type ChosenAxis = 'step' | 'epoch' | 'time';

/** The same for any chart; those that a model template has defined go by a metric, or by the run's time. */
export type AxisKind = ChosenAxis | 'run_time' | 'metric';

/** A run's curve on the chosen axis. */
export interface ICurve {
  runId: number;
  x: number[];

  /** null is a gap. */
  y: (number | null)[];
}

/**
 * Curves on one shared x axis. `null` is a gap; `undefined` says that the run has no point at this x,
 * and that its line goes on to its next one.
 */
export interface IAligned {
  x: number[];
  ys: (number | null | undefined)[][];
}

/** All that a plot draws. */
export interface IPlotData {
  /** By curve. */
  runIds: number[];

  /** By curve, where there are several metrics; dashes then tell the metrics apart, and colours the runs. */
  metrics: string[] | null;
  x: number[];

  /** What is drawn boldly and read out: the values, or the smoothed ones. */
  ys: (number | null | undefined)[][];

  /** The values behind smoothed curves; null where there are none, or too many to tell apart. */
  raw: (number | null | undefined)[][] | null;

  /** How many values a logarithmic axis cannot show. */
  dropped: number;

  /** What the y axis spans, where that is not all values. */
  fit: IFit | null;
}

/** How the charts are drawn. */
export interface IPlotStyle {
  axis: AxisKind;
  log: boolean;

  /** 0 (none) to 0.99. */
  smoothing: number;
}

/** What the cursor is over: the values of runs at an x. */
export interface IReading {
  x: number;

  /** Best value first is up to the reader; these are in the order of curves. */
  values: { runId: number; metric: string | null; value: number }[];

  /** The run whose curve is nearest to the cursor. */
  nearest: number | null;

  /** Where the cursor is, in pixels from the upper left of the plot's element. */
  left: number;
  top: number;
}

/** What a plot tells its owner. */
export interface IPlotListener {
  onReading(reading: IReading | null): void;
  onZoom(zoomed: boolean): void;
}

/** What a plot is made for; another one is needed when this changes. */
export interface IPlotOptions extends IPlotListener {
  axis: AxisKind;
  log: boolean;

  /** Plots with the same key share the cursor's x. */
  syncKey: string;
}

/**
 * A line chart of many runs, drawn by a library that is loaded when it is needed.
 */
export interface IPlot {
  update(data: IPlotData): void;

  /** Leave these runs out. */
  setHidden(hidden: ReadonlySet<number>): void;

  /** Bring one run to the front, the others fade. */
  setFocus(runId: number | null): void;
  setSize(width: number, height: number): void;

  /** Read the theme's colours again. */
  recolour(): void;
  resetZoom(): void;
  dispose(): void;
}

/** The lazily loaded module. */
export interface IPlotModule {
  createPlot(
    host: HTMLElement,
    data: IPlotData,
    options: IPlotOptions,
    size: { width: number; height: number }
  ): IPlot;
}
