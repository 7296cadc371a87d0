import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ChosenAxis } from '../charts/types';
import { IRunTableState } from '../table/RunTable';

export const TABS = [
  'charts',
  'runs',
  'knobs',
  'events',
  'operations',
  'files'
] as const;

export type DashboardTab = (typeof TABS)[number];

const AXES: readonly ChosenAxis[] = ['step', 'epoch', 'time'];

/**
 * What the user chose in a dashboard: plain JSON, to be kept with the layout of the page.
 */
export interface IDashboardState {
  /** null follows the newest. */
  experiment: string | null;
  tab: DashboardTab;
  axis: ChosenAxis;
  log: boolean;
  smoothing: number;

  /** Run ids that charts leave out. */
  hidden: number[];

  /** Metrics that have a chart; null for those that most want. */
  charts: string[] | null;

  /** The metric that knobs are held against; null for the key metric. */
  metric: string | null;
  knobView: 'parallel' | 'scatter';

  /** The knob of the scatter view; null for the first. */
  knob: string | null;
  table: IRunTableState | null;
}

/**
 * A dashboard's state out of what was kept, perhaps by another release: what does not fit is left at
 * its default.
 */
export function restoreState(kept: ReadonlyPartialJSONObject): IDashboardState {
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  const { smoothing, hidden, charts, table } = kept;
  return {
    experiment: text(kept.experiment),
    tab: oneOf(TABS, kept.tab),
    axis: oneOf(AXES, kept.axis),
    log: kept.log === true,
    smoothing:
      typeof smoothing === 'number' && smoothing > 0 && smoothing < 1
        ? smoothing
        : 0,
    hidden: listOf(hidden, (id): id is number => typeof id === 'number') ?? [],
    charts: listOf(charts, (name): name is string => typeof name === 'string'),
    metric: text(kept.metric),
    knobView: oneOf(['parallel', 'scatter'] as const, kept.knobView),
    knob: text(kept.knob),
    // The table checks its own state.
    table: (table ?? null) as IRunTableState | null
  };
}

/** The value if it is one of these, the first one otherwise. */
function oneOf<T>(choices: readonly T[], value: unknown): T {
  return choices.find(choice => choice === value) ?? choices[0];
}

function listOf<T>(
  value: unknown,
  fits: (entry: unknown) => entry is T
): T[] | null {
  return Array.isArray(value) ? value.filter(fits) : null;
}
