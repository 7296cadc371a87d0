import type uPlot from 'uplot';

import { formatValue } from '../format';
import { formatX, tickSteps } from './axis';
import { dashOfMetric, markOf, resolveColours } from './palette';
import { logTicks } from './ticks';
import { IPlotData, IPlotOptions } from './types';

/** Colours and fonts of the theme, as a canvas takes them. */
export interface IInk {
  /** By place of the run. */
  lines: string[];
  faint: string[];
  text: string;
  grid: string;
  font: string;
}

/** What the options need of the plot that they are for. */
interface IPlotParts {
  /** Read anew at every drawing: the theme may have changed. */
  ink(): IInk;

  /** What y is to span of the values between two. */
  fit(min: number, max: number): [number, number];

  /** uPlot's own range around what is to be spanned. */
  around(min: number, max: number): uPlot.Range.MinMax;
  dataIdx(series: number, at: number, x: number): number | null;
  hooks: uPlot.Hooks.Arrays;
}

/** Past this many runs lines are hair-thin. */
const MANY_RUNS = 40;

/** A dot for each point as long as they stand this far apart, in pixels. */
const DOT_SPACE = 14;

export function readInk(host: HTMLElement, runIds: readonly number[]): IInk {
  const lines = runIds.map(id => markOf(id).colour);
  const faint = lines.map(
    colour => `color-mix(in srgb, ${colour} 28%, transparent)`
  );
  const [text, grid, ...rest] = resolveColours(host, [
    'var(--jp-ui-font-color2)',
    'var(--jp-border-color2)',
    ...lines,
    ...faint
  ]);
  return {
    text,
    grid,
    lines: rest.slice(0, runIds.length),
    faint: rest.slice(runIds.length),
    font: `11px ${getComputedStyle(host).fontFamily || 'sans-serif'}`
  };
}

/**
 * What uPlot is to draw, apart from its size.
 */
export function uplotOptions(
  data: IPlotData,
  options: IPlotOptions,
  parts: IPlotParts
): Omit<uPlot.Options, 'width' | 'height'> {
  return {
    legend: { show: false },
    padding: [10, 14, 0, 0],
    focus: { alpha: 0.25 },
    cursor: cursor(options, parts),
    scales: {
      x: { time: false, range: atLeastOne },
      y: yScale(options.log, parts)
    },
    axes: [xAxis(options, parts), yAxis(options.log, parts)],
    series: [
      {},
      ...(data.raw ?? []).map((_, i) => rawLine(i, parts)),
      ...data.ys.map((_, i) => line(i, data, parts))
    ],
    hooks: parts.hooks
  };
}

function line(i: number, data: IPlotData, parts: IPlotParts): uPlot.Series {
  const stroke = () => parts.ink().lines[i];
  const width = data.runIds.length > MANY_RUNS ? 1 : 1.5;
  const dash = [...dashOf(i, data)];
  return {
    stroke,
    width,
    dash,
    points: { show: hasRoom, size: 5, width: 0, stroke, fill: stroke }
  };
}

function dashOf(i: number, { runIds, metrics }: IPlotData): readonly number[] {
  return metrics
    ? dashOfMetric([...new Set(metrics)].indexOf(metrics[i]))
    : markOf(runIds[i]).dash;
}

function rawLine(i: number, parts: IPlotParts): uPlot.Series {
  const stroke = () => parts.ink().faint[i];
  return { stroke, width: 1, points: { show: false } };
}

/**
 * Whether points have room for dots: those of all runs or of none, so that no run looks like more
 * than another. Of a single point, the dot is all there is.
 */
function hasRoom(plot: uPlot, series: number): boolean {
  const counts = pointCounts(plot.data);
  const most = Math.max(...counts);
  return counts[series] === 1 || most * DOT_SPACE <= plot.width;
}

const countsOf = new WeakMap<uPlot.AlignedData, number[]>();

/** How many points each series has; every series asks, at every drawing. */
function pointCounts(data: uPlot.AlignedData): number[] {
  const known = countsOf.get(data);
  if (known) {
    return known;
  }
  const [, ...series] = data;
  const counts = series.map(
    ys => Array.from(ys).filter(y => typeof y === 'number').length
  );
  countsOf.set(data, [0, ...counts]);
  return [0, ...counts];
}

function cursor(options: IPlotOptions, parts: IPlotParts): uPlot.Cursor {
  // Charts share the cursor's place and the run in focus, not the zoom.
  const shared = (type: string) => !['mousedown', 'mouseup'].includes(type);
  return {
    y: false,
    drag: { x: true, y: false, dist: 5 },
    focus: { prox: 24 },
    points: { one: true, size: 7 },
    dataIdx: (_, series, at, x) => parts.dataIdx(series, at, x),
    sync: {
      key: options.syncKey,
      setSeries: true,
      scales: ['x', null],
      filters: { pub: shared, sub: shared }
    }
  };
}

/** A single x needs some room around it. */
function atLeastOne(_: uPlot, min: number, max: number): uPlot.Range.MinMax {
  return min === max ? [min - 0.5, max + 0.5] : [min, max];
}

function yScale(log: boolean, parts: IPlotParts): uPlot.Scale {
  const range = log ? logRange : parts.around;
  const fitted = (_: uPlot, min: number, max: number) =>
    range(...parts.fit(min, max));
  return log ? { distr: 3, range: fitted } : { range: fitted };
}

/**
 * Just what the values span: uPlot's own range goes to full powers of ten, which flattens a loss that
 * falls from 2 to 0.3.
 */
function logRange(min: number, max: number): uPlot.Range.MinMax {
  if (!(min > 0) || !(max > 0)) {
    return [0.1, 1];
  }
  return min === max ? [min / 2, max * 2] : [min / 1.08, max * 1.08];
}

function xAxis(options: IPlotOptions, parts: IPlotParts): uPlot.Axis {
  return {
    ...ink(parts),
    size: 28,
    space: 64,
    incrs: tickSteps(options.axis),
    values: (_, splits) => splits.map(x => formatX(options.axis, x))
  };
}

function yAxis(log: boolean, parts: IPlotParts): uPlot.Axis {
  // uPlot labels the ends of a log scale, whatever numbers those are.
  const ticks: uPlot.Axis = {
    splits: (_, __, min, max) => logTicks(min, max),
    filter: (_, splits) => splits
  };
  return {
    ...ink(parts),
    ...(log ? ticks : {}),
    space: 32,
    size: (_, values) =>
      values
        ? 18 + 6.2 * Math.max(...values.map(v => `${v ?? ''}`.length))
        : 40,
    values: (_, splits) =>
      splits.map(y => (y === null ? '' : formatValue(Number(y.toPrecision(6)))))
  };
}

function ink(parts: IPlotParts): uPlot.Axis {
  return {
    stroke: () => parts.ink().text,
    font: parts.ink().font,
    grid: { stroke: () => parts.ink().grid, width: 1 },
    ticks: { stroke: () => parts.ink().grid, width: 1, size: 4 }
  };
}
