import { formatValue } from '../format';
import { KnobValue } from '../tokens';
import { evenTicks, logTicks } from './ticks';

/** Where values stand on an axis: 0 at its start, 1 at its end. */
export interface IScale {
  kind: 'linear' | 'log' | 'category';

  /** null: this value has no place on the axis. */
  place(value: KnobValue | undefined): number | null;
  ticks: readonly { at: number; label: string }[];
}

/** A ratio of largest to smallest from which on equal steps hide the small values. */
const LOG_RATIO = 30;

/** So many different numbers can each have their own tick. */
const MOST_OWN_TICKS = 6;

/**
 * The axis that suits the values of a knob or metric.
 */
export function scaleFor(values: readonly (KnobValue | undefined)[]): IScale {
  const present = values.filter(
    value => value !== null && value !== undefined
  ) as KnobValue[];
  if (present.length && present.every(isNumber)) {
    return numberScale(present);
  }
  return categoryScale(present);
}

function isNumber(value: KnobValue | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function numberScale(values: readonly number[]): IScale {
  const min = Math.min(...values);
  const max = Math.max(...values);
  const isLog = min > 0 && max / min >= LOG_RATIO;
  const to = isLog ? Math.log10 : (value: number) => value;
  const [start, end] = [to(min), to(max)];
  const place = (value: KnobValue | undefined) => {
    if (!isNumber(value) || (isLog && value <= 0)) {
      return null;
    }
    return end > start ? (to(value) - start) / (end - start) : 0.5;
  };
  const own = Array.from(new Set(values)).sort((a, b) => a - b);
  const shown =
    own.length <= MOST_OWN_TICKS
      ? own
      : isLog
        ? logTicks(min, max)
        : evenTicks(min, max);
  const ticks = shown.map(value => ({
    at: place(value) ?? 0,
    label: formatValue(value)
  }));
  return { kind: isLog ? 'log' : 'linear', place, ticks: apart(ticks) };
}

/**
 * Ticks without those whose labels would touch the one before; the last one stays.
 */
function apart(
  ticks: { at: number; label: string }[]
): { at: number; label: string }[] {
  const end = ticks[ticks.length - 1];
  let taken = -Infinity;
  return ticks.filter(tick => {
    const fits =
      tick === end || (tick.at - taken >= 0.07 && end.at - tick.at >= 0.07);
    taken = fits ? tick.at : taken;
    return fits;
  });
}

function categoryScale(values: readonly KnobValue[]): IScale {
  const labels = Array.from(new Set(values.map(formatValue))).sort((a, b) =>
    a.localeCompare(b, undefined, { numeric: true })
  );
  const at = (index: number) =>
    labels.length > 1 ? index / (labels.length - 1) : 0.5;
  return {
    kind: 'category',
    place: value => {
      const index = labels.indexOf(formatValue(value));
      return value === null || index < 0 ? null : at(index);
    },
    ticks: labels.map((label, index) => ({ at: at(index), label }))
  };
}
