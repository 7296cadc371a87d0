import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { ShownStatus } from '../runs';
import { IRunsModel } from '../tokens';
import { ColumnMenu } from './ColumnMenu';
import { IColumn } from './columns';
import { StatusMenu } from './StatusMenu';
import { ICompleteState, IRunTableState } from './tableState';

interface ITableToolbarProps {
  model: IRunsModel;
  columns: readonly IColumn[];
  counts: ReadonlyMap<ShownStatus, number>;
  state: ICompleteState;
  onChange: (change: IRunTableState) => void;
  isNarrow: boolean;
  trans: TranslationBundle;
}

/**
 * What is shown of the runs: filters, key metric, columns.
 */
export function TableToolbar(props: ITableToolbarProps): JSX.Element {
  const { model, columns, counts, state, onChange, isNarrow, trans } = props;
  return (
    <div className="jp-rf-TableToolbar">
      <input
        type="search"
        className="jp-rf-TableToolbar-filter"
        aria-label={trans.__('Filter runs')}
        placeholder={trans.__('Filter runs')}
        title={trans.__('Looks through run ids, statuses, knobs and errors')}
        value={state.filter}
        onChange={event => onChange({ filter: event.target.value })}
      />
      <StatusMenu
        counts={counts}
        chosen={state.statuses}
        onChange={statuses => onChange({ statuses })}
        isNarrow={isNarrow}
        trans={trans}
      />
      <ColumnMenu
        columns={columns}
        state={state}
        onChange={onChange}
        isNarrow={isNarrow}
        trans={trans}
      />
      {model.metricNames.length > 0 && (
        <label className="jp-rf-TableToolbar-metric">
          {trans.__('Key metric')}
          <select
            className="jp-rf-Select"
            value={model.metric ?? ''}
            onChange={event => model.setMetric(event.target.value)}
          >
            {model.metric === null && <option value="" />}
            {model.metricNames.map(name => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}
