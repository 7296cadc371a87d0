import { TranslationBundle } from '@jupyterlab/translation';

import { formatValue } from './format';
import { IInterval, IRace } from './tokens';

/** Smaller numbers are written with a power of ten. */
const MOST_DECIMALS = 5;

/** What a race says of a run. */
export interface IStanding {
  race: IRace;

  /** null: it is the one that others are held against. */
  interval: IInterval | null;
}

/**
 * What races say of their runs, by run id.
 */
export function standings(races: readonly IRace[]): Map<number, IStanding> {
  const found = new Map<number, IStanding>();
  for (const race of races) {
    for (const interval of race.intervals) {
      found.set(interval.run_id, { race, interval });
    }
    if (race.best !== null && race.intervals.length) {
      found.set(race.best, { race, interval: null });
    }
  }
  return found;
}

/**
 * Whether all that the difference may be is on the wrong side of zero.
 */
export function isCrediblyWorse(race: IRace, interval: IInterval): boolean {
  return race.mode === 'min'
    ? interval.low !== null && interval.low > 0
    : interval.high !== null && interval.high < 0;
}

/**
 * How much worse than the best run it is, in the metric's units; negative where it is better.
 */
export function deficit(race: IRace, interval: IInterval): number {
  return (race.mode === 'min' ? 1 : -1) * interval.difference;
}

/**
 * A difference as tables show it, with as many digits as the interval is worth: "+0.012 [0.003, 0.021]".
 */
export function intervalText(interval: IInterval): string {
  const { difference, low, high } = interval;
  const sign = difference > 0 ? '+' : '';
  if (low === null || high === null) {
    return `${sign}${formatValue(difference)} [?]`;
  }
  const radius = (high - low) / 2;
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(radius)));
  const text = (value: number) =>
    decimals > MOST_DECIMALS ? formatValue(value) : value.toFixed(decimals);
  return `${sign}${text(difference)} [${text(low)}, ${text(high)}]`;
}

/**
 * The same in words, for those who do not know the brackets or do not see them.
 */
export function intervalSentence(
  race: IRace,
  interval: IInterval,
  trans: TranslationBundle
): string {
  const { difference, low, high, places } = interval;
  const mean = trans._n(
    'Mean difference of %2 to run %3 at %1 place of the data: %4.',
    'Mean difference of %2 to run %3 at %1 places of the data: %4.',
    places,
    race.metric,
    race.best ?? 0,
    formatValue(difference)
  );
  if (low === null || high === null) {
    return trans.__('%1 It is too early to tell more.', mean);
  }
  const range = trans.__(
    '%1 At a confidence of %2 it lies between %3 and %4',
    mean,
    race.confidence,
    formatValue(low),
    formatValue(high)
  );
  return isCrediblyWorse(race, interval)
    ? trans.__('%1: credibly worse.', range)
    : trans.__('%1: it may be as good.', range);
}
