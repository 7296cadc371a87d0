import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatDuration, formatValue } from '../format';
import { deficit, standings } from '../races';
import { EngineState, IRun, IRunsModel, OperationName } from '../tokens';
import { keyMetric, knobKey, SortKey, statusKey } from './arrange';
import { IntervalCell } from './IntervalCell';
import { KnobChips } from './KnobChips';
import { MetricCell } from './MetricCell';
import { MetricValue } from './MetricValue';
import { ProgressCell } from './ProgressCell';
import { StatusCell } from './StatusCell';
import { ICompleteState } from './tableState';

/** Part of the columns menu. */
export type ColumnGroup = 'run' | 'metric' | 'knob';

/**
 * A column of the table, but for those that every table has: check box, run and actions.
 */
export interface IColumn {
  id: string;
  group: ColumnGroup;
  label: string;

  /** The whole name, where the label is a short one. */
  title?: string;

  /** In em. A flexible column takes what is left over. */
  width: number;
  isFlexible?: boolean;
  isNumeric?: boolean;

  /** Whether it is shown as long as the user does not say otherwise. */
  byDefault: boolean;
  sortKey: (run: IRun) => SortKey;
  cell: (run: IRun, pending: OperationName | null) => React.ReactNode;
}

/** What columns depend on. */
interface IColumnOptions {
  model: Pick<IRunsModel, 'metric' | 'metricNames' | 'knobNames' | 'races'>;
  labels: ReadonlyMap<string, string>;

  /** Those of the knobs that tell the runs apart, in order. */
  telling: ReadonlyMap<string, string>;
  engine: EngineState;
  isNarrow: boolean;
  hasErrors: boolean;
  trans: TranslationBundle;
}

// Metrics shown beside the key metric.
const MORE_METRICS = 2;

/**
 * All columns that there are.
 */
export function allColumns(options: IColumnOptions): IColumn[] {
  const { model } = options;
  return [
    ...mainColumns(options),
    ...model.metricNames
      .filter(name => name !== model.metric)
      .map((name, index) => metricColumn(name, index, options)),
    ...lateColumns(options),
    ...model.knobNames.map(path => knobColumn(path, options))
  ];
}

export function shownColumns(
  columns: readonly IColumn[],
  state: Pick<ICompleteState, 'columns'>
): IColumn[] {
  return columns.filter(({ id, byDefault }) => state.columns[id] ?? byDefault);
}

function mainColumns(options: IColumnOptions): IColumn[] {
  const { model, telling, engine, isNarrow, trans } = options;
  const status = (run: IRun, pending: OperationName | null) => (
    <StatusCell run={run} engine={engine} pending={pending} trans={trans} />
  );
  return [
    {
      id: 'status',
      group: 'run',
      label: trans.__('Status'),
      width: 8,
      byDefault: !isNarrow,
      sortKey: run => statusKey(run, engine),
      cell: status
    },
    {
      id: 'progress',
      group: 'run',
      label: trans.__('Progress'),
      width: isNarrow ? 5.8 : 24,
      isFlexible: isNarrow,
      byDefault: true,
      sortKey: run => run.progress,
      cell: (run, pending) => (
        <ProgressCell run={run} engine={engine} trans={trans}>
          {isNarrow && status(run, pending)}
        </ProgressCell>
      )
    },
    {
      id: 'metric',
      group: 'run',
      label: model.metric ?? trans.__('Metric'),
      title: trans.__('Key metric: the last value and its course'),
      width: isNarrow ? 4.5 : 11,
      byDefault: true,
      sortKey: run => keyMetric(run, model.metric) ?? null,
      cell: run => <MetricCell run={run} metric={model.metric} trans={trans} />
    },
    ...raceColumns(options),
    {
      id: 'knobs',
      group: 'run',
      label: trans.__('Knobs'),
      title: trans.__('Values of the config that differ between the runs'),
      width: 18,
      isFlexible: true,
      byDefault: !isNarrow,
      sortKey: run => formatValue(run.knobs),
      cell: run => <KnobChips run={run} labels={telling} trans={trans} />
    }
  ];
}

/** Where runs race, how far they are from the best. */
function raceColumns({ model, isNarrow, trans }: IColumnOptions): IColumn[] {
  const found = standings(model.races);
  if (!found.size) {
    return [];
  }
  return [
    {
      id: 'interval',
      group: 'run',
      label: trans.__('To the best'),
      title: trans.__(
        'Mean difference to the best run of the race at the same places of the data, and what it may be'
      ),
      width: 15,
      isNumeric: true,
      byDefault: !isNarrow,
      sortKey: run => {
        const standing = found.get(run.run_id);
        return standing?.interval
          ? deficit(standing.race, standing.interval)
          : standing
            ? 0
            : null;
      },
      cell: run => (
        <IntervalCell standing={found.get(run.run_id)} trans={trans} />
      )
    }
  ];
}

function metricColumn(
  name: string,
  index: number,
  { isNarrow, trans }: IColumnOptions
): IColumn {
  return {
    id: `metric:${name}`,
    group: 'metric',
    label: name,
    title: name,
    width: 7,
    isNumeric: true,
    byDefault: !isNarrow && index < MORE_METRICS,
    sortKey: run => run.metrics[name] ?? null,
    cell: run => <MetricValue value={run.metrics[name]} trans={trans} />
  };
}

function lateColumns(options: IColumnOptions): IColumn[] {
  const { isNarrow, hasErrors, trans } = options;
  return [
    {
      id: 'loss',
      group: 'run',
      label: trans.__('Loss'),
      title: trans.__('Loss of the last minibatch'),
      width: 5.5,
      isNumeric: true,
      byDefault: !isNarrow,
      sortKey: run => run.loss,
      cell: run => <MetricValue value={run.loss ?? undefined} trans={trans} />
    },
    {
      id: 'time',
      group: 'run',
      label: trans.__('Time'),
      title: trans.__('Time spent on a slot'),
      width: 5,
      isNumeric: true,
      byDefault: !isNarrow,
      sortKey: run => run.seconds,
      cell: run => formatDuration(run.seconds)
    },
    {
      id: 'slot',
      group: 'run',
      label: trans.__('Slot'),
      title: trans.__('Where it trains at present'),
      width: 4,
      isNumeric: true,
      byDefault: !isNarrow,
      sortKey: run => run.slot,
      cell: run => (
        <span title={run.device ?? undefined}>{formatValue(run.slot)}</span>
      )
    },
    {
      id: 'error',
      group: 'run',
      label: trans.__('Error'),
      width: 14,
      isFlexible: true,
      byDefault: !isNarrow && hasErrors,
      sortKey: run => run.error,
      cell: run => (
        <span className="jp-rf-ErrorNote" title={run.error ?? undefined}>
          {run.error}
        </span>
      )
    }
  ];
}

function knobColumn(path: string, { labels }: IColumnOptions): IColumn {
  return {
    id: `knob:${path}`,
    group: 'knob',
    label: labels.get(path) ?? path,
    title: path,
    width: 7,
    byDefault: false,
    sortKey: run => knobKey(run.knobs[path]),
    cell: run => {
      const value = formatValue(run.knobs[path]);
      return <span title={value}>{value}</span>;
    }
  };
}
