import { TranslationBundle } from '@jupyterlab/translation';

import { formatValue, shortKnob } from '../format';
import { ShownStatus, shownStatus, statusText } from '../runs';
import { EngineState, IRun, KnobValue } from '../tokens';
import { ICompleteState, STATUSES } from './tableState';

/** Where a run stands in the table. */
export interface IPlace {
  run: IRun;

  /** How many of its ancestors are above it. */
  depth: number;
}

/** What runs are sorted by; null comes last in either direction. */
export type SortKey = number | string | null;

/**
 * The runs that the filter lets through.
 */
export function matching(
  runs: readonly IRun[],
  state: Pick<ICompleteState, 'filter' | 'statuses'>,
  engine: EngineState,
  trans: TranslationBundle
): IRun[] {
  return runs.filter(matcher(state, engine, trans));
}

/**
 * Runs in the order of the table.
 */
export function arrange(
  runs: readonly IRun[],
  { sort, grouped: isGrouped }: Pick<ICompleteState, 'sort' | 'grouped'>,
  sortKey: (run: IRun) => SortKey
): IPlace[] {
  const { column, descending } = sort;
  if (column === 'run' && isGrouped) {
    return grouped(runs, descending);
  }
  return sorted(runs, sortKey, descending).map(run => ({ run, depth: 0 }));
}

function matcher(
  { filter, statuses }: Pick<ICompleteState, 'filter' | 'statuses'>,
  engine: EngineState,
  trans: TranslationBundle
): (run: IRun) => boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = new Set<ShownStatus>(statuses);
  return run => {
    const status = shownStatus(run, engine);
    if (wanted.size && !wanted.has(status)) {
      return false;
    }
    const text = words.length ? searchText(run, status, trans) : '';
    return words.every(word => text.includes(word));
  };
}

/**
 * What the filter box looks through.
 */
function searchText(
  run: IRun,
  status: ShownStatus,
  trans: TranslationBundle
): string {
  const knobs = Object.entries(run.knobs).map(
    ([path, value]) => `${path} ${shortKnob(path)}=${formatValue(value)}`
  );
  // The word of the table, and the one of the docs.
  const words = [statusText(status, trans), status];
  const parts = [`${run.run_id}`, ...words, ...knobs, run.error ?? ''];
  return parts.join(' ').toLowerCase();
}

/**
 * Clones beneath their parents; where the parent is not shown, they stand where it would.
 */
function grouped(runs: readonly IRun[], descending: boolean): IPlace[] {
  const ids = new Set(runs.map(run => run.run_id));
  const children = new Map<number | null, IRun[]>();
  for (const run of sorted(runs, ({ run_id }) => run_id, descending)) {
    // A run is younger than its parent: what says otherwise must not close a circle.
    const isBelow =
      run.parent !== null && run.parent < run.run_id && ids.has(run.parent);
    const parent = isBelow ? run.parent : null;
    const siblings = children.get(parent) ?? [];
    siblings.push(run);
    children.set(parent, siblings);
  }
  const places: IPlace[] = [];
  const waiting = toPlaces(children.get(null), 0);
  for (let place = waiting.pop(); place; place = waiting.pop()) {
    places.push(place);
    waiting.push(...toPlaces(children.get(place.run.run_id), place.depth + 1));
  }
  return places;
}

/** The last one is taken first. */
function toPlaces(runs: IRun[] | undefined, depth: number): IPlace[] {
  return (runs ?? []).map(run => ({ run, depth })).reverse();
}

function sorted(
  runs: readonly IRun[],
  sortKey: (run: IRun) => SortKey,
  descending: boolean
): IRun[] {
  const sign = descending ? -1 : 1;
  return runs
    .map(run => ({ run, key: sortKey(run) }))
    .sort((a, b) => {
      const order = compareKeys(a.key, b.key, sign);
      return order || a.run.run_id - b.run.run_id;
    })
    .map(({ run }) => run);
}

function compareKeys(a: SortKey, b: SortKey, sign: number): number {
  if (a === null || b === null) {
    return Number(a === null) - Number(b === null);
  }
  if (typeof a === 'number' && typeof b === 'number') {
    return sign * (a - b);
  }
  return sign * `${a}`.localeCompare(`${b}`, undefined, { numeric: true });
}

/**
 * Sorts statuses as the life of a run goes.
 */
export function statusKey(run: IRun, engine: EngineState): number {
  return STATUSES.indexOf(shownStatus(run, engine));
}

export function knobKey(value: KnobValue | undefined): SortKey {
  if (value === null || value === undefined) {
    return null;
  }
  return typeof value === 'number' ? value : formatValue(value);
}

/** What the server's trend shows of a run that has not finished an epoch. */
const FALLBACK_METRIC = 'minibatch_loss';

/**
 * Last value of the metric whose sparkline is shown. Undefined: there is none yet; null: it is not
 * finite. A loss of minibatches does not stand in for it: it would be compared with those of epochs.
 */
export function keyMetric(
  run: IRun,
  metric: string | null
): number | null | undefined {
  if (metric === null) {
    return undefined;
  }
  if (metric === FALLBACK_METRIC && run.trend.length) {
    return run.trend[run.trend.length - 1];
  }
  return run.metrics[metric];
}

/**
 * Name of the metric that a run's trend is of.
 */
export function trendMetric(run: IRun, metric: string): string {
  return metric in run.metrics ? metric : FALLBACK_METRIC;
}
