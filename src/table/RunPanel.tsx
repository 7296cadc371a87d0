import * as React from 'react';

import { knobLabels, tellingKnobs } from '../format';
import { IRun } from '../tokens';
import { arrange, matching, SortKey } from './arrange';
import { blockedReason } from './blocked';
import { BulkBar } from './BulkBar';
import { allColumns, shownColumns } from './columns';
import { LiveText } from './LiveText';
import { NoRuns } from './NoRuns';
import { pickRuns } from './pickRuns';
import { RunGrid } from './RunGrid';
import type { IRunTableProps } from './RunTable';
import { countStatuses, summarise } from './summary';
import { ICompleteState, IRunTableState } from './tableState';
import { TableToolbar } from './TableToolbar';
import { useSelection } from './useSelection';
import { useStable } from './useStable';

interface IRunPanelProps extends Omit<
  IRunTableProps,
  'state' | 'onStateChange'
> {
  state: ICompleteState;
  onChange: (change: IRunTableState) => void;
}

/**
 * The runs of one experiment: tools, the summary, and the table.
 */
export function RunPanel(props: IRunPanelProps): JSX.Element {
  const { service, model, actions, trans, state, onChange, onSelect } = props;
  const { engine } = service;
  const isNarrow = props.variant === 'sidebar';
  const runIds = useStable(props.runIds);
  const runs = React.useMemo(
    () => pickRuns(model.runs, runIds),
    [model.runs, runIds]
  );
  const shown = React.useMemo(
    () => matching(runs, state, engine, trans),
    [runs, state, engine, trans]
  );
  const { columns, telling } = useColumns(props, shown, isNarrow);
  const visible = React.useMemo(
    () => shownColumns(columns, { columns: state.columns }),
    [columns, state.columns]
  );
  const places = React.useMemo(() => {
    const sorter = columns.find(({ id }) => id === state.sort.column);
    const sortKey = sorter?.sortKey ?? (({ run_id }): SortKey => run_id);
    // A column that there is no more sorts like the first one.
    const sort = sorter ? state.sort : { ...state.sort, column: 'run' };
    return arrange(shown, { ...state, sort }, sortKey);
  }, [shown, state, columns]);
  const order = useStable(places.map(({ run }) => run.run_id)) ?? [];
  const selection = useSelection(order);
  const { runIds: selected } = selection;

  const tell = React.useRef(onSelect);
  tell.current = onSelect;
  const isFirst = React.useRef(true);
  React.useEffect(() => {
    if (!isFirst.current) {
      tell.current?.([...selected]);
    }
    isFirst.current = false;
  }, [selected]);

  if (!runs.length) {
    return <NoRuns {...props} count={0} onClearFilter={() => undefined} />;
  }
  const blocked = blockedReason(service, trans);
  const experiment = model.experiment ?? '';
  const chosen = new Set(selected);
  return (
    <>
      <TableToolbar
        model={model}
        columns={columns}
        counts={countStatuses(runs, engine)}
        state={state}
        onChange={onChange}
        isNarrow={isNarrow}
        trans={trans}
      />
      <div className="jp-rf-RunTable-bar">
        <LiveText
          className="jp-rf-RunTable-summary"
          text={summarise(runs, places.length, engine, trans)}
        />
        {selected.length > 0 && (
          <BulkBar
            runs={runs.filter(({ run_id }) => chosen.has(run_id))}
            model={model}
            blocked={blocked}
            experiment={experiment}
            actions={actions}
            onClear={() => selection.setAll(false)}
            trans={trans}
          />
        )}
      </div>
      {places.length ? (
        <RunGrid
          places={places}
          order={order}
          columns={visible}
          knobs={telling}
          selection={selection}
          sort={state.sort}
          onSort={sort => onChange({ sort })}
          isNarrow={isNarrow}
          blocked={blocked}
          experiment={experiment}
          service={service}
          model={model}
          actions={actions}
          trans={trans}
        />
      ) : (
        <NoRuns
          {...props}
          count={runs.length}
          onClearFilter={() => onChange({ filter: '', statuses: [] })}
        />
      )}
    </>
  );
}

/**
 * The columns; the same objects while nothing that they depend on changes, so that rows stay.
 */
function useColumns(
  props: IRunPanelProps,
  shown: readonly IRun[],
  isNarrow: boolean
) {
  const { service, model, trans } = props;
  const { metric, races } = model;
  const { engine } = service;
  const knobNames = useStable(model.knobNames) ?? [];
  const metricNames = useStable(model.metricNames) ?? [];
  const hasErrors = model.runs.some(({ error }) => error !== null);
  const labels = React.useMemo(() => knobLabels(knobNames), [knobNames]);
  const found = React.useMemo(
    () => tellingKnobs(shown, knobNames),
    [shown, knobNames]
  );
  const order = useStable(found) ?? found;
  const telling = React.useMemo(
    () => new Map(order.map(path => [path, labels.get(path) ?? path])),
    [order, labels]
  );
  const columns = React.useMemo(
    () =>
      allColumns({
        model: { metric, metricNames, knobNames, races },
        labels,
        telling,
        engine,
        isNarrow,
        hasErrors,
        trans
      }),
    [
      metric,
      metricNames,
      knobNames,
      races,
      labels,
      telling,
      engine,
      isNarrow,
      hasErrors,
      trans
    ]
  );
  return { columns, telling };
}
