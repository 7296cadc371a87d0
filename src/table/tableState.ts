import { ShownStatus } from '../runs';

/**
 * What a user made of the table. It is plain JSON, so that its owner can keep it.
 */
export interface IRunTableState {
  sort?: ISort;

  /** Words to look for. */
  filter?: string;

  /** Only runs of these statuses; all if there are none. */
  statuses?: string[];

  /** Columns that the user turned on or off; all others are as the table thinks best. */
  columns?: { [id: string]: boolean };

  /** Whether clones are beneath their parents when runs are sorted by run. */
  grouped?: boolean;
}

export interface ISort {
  /** Id of the column. */
  column: string;
  descending: boolean;
}

export const STATUSES: readonly ShownStatus[] = [
  'running',
  'queued',
  'stopping',
  'interrupted',
  'stopped',
  'failed',
  'completed'
];

/**
 * A state in which nothing is left to default.
 */
export interface ICompleteState {
  sort: ISort;
  filter: string;
  statuses: ShownStatus[];
  columns: { [id: string]: boolean };
  grouped: boolean;
}

/**
 * Read a state as it was kept, perhaps by another release: what does not fit is left out.
 */
export function completeState(kept: unknown): ICompleteState {
  const state = isObject(kept) ? kept : {};
  const sort = isObject(state.sort) ? state.sort : {};
  return {
    sort: {
      column: typeof sort.column === 'string' ? sort.column : 'run',
      descending: sort.descending === true
    },
    filter: typeof state.filter === 'string' ? state.filter : '',
    statuses: Array.isArray(state.statuses)
      ? STATUSES.filter(status =>
          (state.statuses as unknown[]).includes(status)
        )
      : [],
    columns: isObject(state.columns) ? flags(state.columns) : {},
    grouped: state.grouped !== false
  };
}

function isObject(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function flags(record: { [key: string]: unknown }): { [id: string]: boolean } {
  return Object.fromEntries(
    Object.entries(record).filter(
      (entry): entry is [string, boolean] => typeof entry[1] === 'boolean'
    )
  );
}
