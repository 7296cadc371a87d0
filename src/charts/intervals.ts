import { deficit } from '../races';
import { IInterval, IRace } from '../tokens';
import { evenTicks } from './ticks';

/** How far beyond the largest difference ends of intervals are drawn: a wide one must not flatten the others. */
const REACH = 2.5;

/** A difference with its interval, as shares of the width. */
interface IBar {
  interval: IInterval;
  at: number;
  low: number;
  high: number;

  /** Whether the interval goes on where the drawing ends. */
  isCutLow: boolean;
  isCutHigh: boolean;
}

export interface IBars {
  /** Nearest to the best first. */
  bars: IBar[];
  zero: number;
  ticks: { at: number; value: number }[];
}

/**
 * The intervals of a race side by side, for the runs that are shown.
 */
export function intervalBars(
  race: IRace,
  hidden: ReadonlySet<number> = new Set()
): IBars {
  const intervals = race.intervals
    .filter(({ run_id }) => !hidden.has(run_id) && !hidden.has(race.best ?? 0))
    .sort((a, b) => deficit(race, a) - deficit(race, b));
  const [min, max] = span(intervals);
  const place = (value: number) => (value - min) / (max - min);
  const within = (value: number) => Math.min(1, Math.max(0, place(value)));
  const bars = intervals.map(interval => ({
    interval,
    at: within(interval.difference),
    low: interval.low === null ? 0 : within(interval.low),
    high: interval.high === null ? 1 : within(interval.high),
    isCutLow: interval.low === null || interval.low < min,
    isCutHigh: interval.high === null || interval.high > max
  }));
  const ticks = evenTicks(min, max).map(value => ({ at: place(value), value }));
  return { bars, zero: place(0), ticks };
}

/**
 * What the axis spans: zero, all differences, and of the intervals what lies near them.
 */
function span(intervals: readonly IInterval[]): [number, number] {
  const differences = intervals.map(({ difference }) => difference);
  const reach =
    REACH * Math.max(...differences.map(value => Math.abs(value)), 0) || 1;
  const near = (end: number | null) => end !== null && Math.abs(end) <= reach;
  const ends = intervals
    .flatMap(({ low, high }) => [low, high])
    .filter((end): end is number => near(end));
  const all = [0, ...differences, ...ends];
  const [min, max] = [Math.min(...all), Math.max(...all)];
  const margin = 0.06 * (max - min) || reach;
  return [min - margin, max + margin];
}
