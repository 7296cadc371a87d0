import { IRun, ISeriesAnswer } from '../tokens';
import { align } from './align';
import { curvesOn } from './axis';
import { fitMost } from './outliers';
import { smooth } from './smooth';
import { ICurve, IPlotData, IPlotStyle } from './types';

/** Past this many runs, faint curves behind the smoothed ones are noise. */
const MOST_RAW_RUNS = 40;

/** Points that all curves of one chart may have together. */
const POINT_BUDGET = 60_000;

/**
 * How many points of a run to ask for: two a pixel (each stretch comes as its smallest and largest
 * value), fewer where many runs share the chart.
 */
export function maxPoints(width: number, runs: number): number {
  const share = Math.floor(POINT_BUDGET / Math.max(1, runs));
  return Math.max(50, Math.min(2000, 2 * Math.round(width), share));
}

/**
 * What a plot of this width draws of the server's answers, one a metric. Hidden runs keep their
 * place, without points: neither the axis nor what there is room for goes by them.
 */
export function prepare(
  answers: readonly ISeriesAnswer[],
  runs: readonly IRun[],
  style: IPlotStyle,
  width: number,
  hidden: ReadonlySet<number> = new Set()
): IPlotData {
  const given = answers
    .flatMap(answer => curvesOn(style.axis, answer, runs))
    .map(curve =>
      hidden.has(curve.runId) ? { ...curve, x: [], y: [] } : curve
    );
  const { curves, dropped } = style.log
    ? withoutLogless(given)
    : { curves: given, dropped: 0 };
  const cells = Math.max(200, 2 * Math.round(width));
  const runIds = curves.map(curve => curve.runId);
  const metrics =
    answers.length > 1
      ? answers.flatMap(({ metric }) => runs.map(() => metric))
      : null;
  // Of several metrics none is to go off the scale: who put them together wants to see them so.
  const fit = metrics
    ? null
    : fitMost(
        curves.map(curve => curve.y),
        style.log
      );
  if (style.smoothing <= 0) {
    const { x, ys } = align(curves, cells);
    return { runIds, metrics, x, ys, raw: null, dropped, fit };
  }
  const smoothed = curves.map(curve => ({
    ...curve,
    y: smooth(curve.y, style.smoothing)
  }));
  const shown = runIds.filter(id => !hidden.has(id));
  const withRaw = shown.length <= MOST_RAW_RUNS;
  // Both have the same x: one table, cut in two.
  const both = align(withRaw ? smoothed.concat(curves) : smoothed, cells);
  const ys = both.ys.slice(0, curves.length);
  const raw = withRaw ? both.ys.slice(curves.length) : null;
  return { runIds, metrics, x: both.x, ys, raw, dropped, fit };
}

/**
 * Curves without the values that have no logarithm, and how many those were.
 */
function withoutLogless(given: ICurve[]): {
  curves: ICurve[];
  dropped: number;
} {
  let dropped = 0;
  const curves = given.map(curve => ({
    ...curve,
    y: curve.y.map(value => {
      if (value !== null && value <= 0) {
        dropped += 1;
        return null;
      }
      return value;
    })
  }));
  return { curves, dropped };
}
