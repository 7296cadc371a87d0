import { TranslationBundle } from '@jupyterlab/translation';
import { caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IRun, IRunActions, OperationName } from '../tokens';
import { IColumn } from './columns';
import { RunActions } from './RunActions';
import { RunName } from './RunName';

interface IRunRowProps {
  run: IRun;
  depth: number;

  /** Position among all rows, the header being 1. */
  rowIndex: number;
  pending: OperationName | null;

  /** Why nothing can be done at present; null if it can. */
  blocked: string | null;
  isSelected: boolean;
  isOpen: boolean;
  isNarrow: boolean;
  columns: readonly IColumn[];

  /** Names of the knobs that tell the runs apart, by path. */
  knobs: ReadonlyMap<string, string>;
  experiment: string;
  actions: IRunActions;
  trans: TranslationBundle;

  /** @param isRange - Whether all runs from the last one on are meant. */
  onSelect: (runId: number, isRange: boolean) => void;
  onOpen: (runId: number) => void;
}

/**
 * A run. It renders anew when something about it changed, not at every refresh.
 */
export const RunRow = React.memo(function RunRow(
  props: IRunRowProps
): JSX.Element {
  const { run, isSelected, isOpen, isNarrow, trans } = props;
  const onChange = (event: React.ChangeEvent<HTMLInputElement>) => {
    // A check box changes by a click, also one that the keyboard makes.
    const isRange = (event.nativeEvent as MouseEvent).shiftKey;
    props.onSelect(run.run_id, isRange);
  };
  const opener = (
    <button
      type="button"
      className="jp-rf-ActionButton jp-rf-RunRow-opener"
      aria-label={trans.__('Details of run %1', run.run_id)}
      aria-expanded={isOpen}
      title={trans.__('Details of run %1', run.run_id)}
      onClick={() => props.onOpen(run.run_id)}
    >
      <caretRightIcon.react tag="span" display="inline-flex" />
    </button>
  );
  return (
    <tr
      className={`jp-rf-RunRow${isSelected ? ' jp-mod-selected' : ''}`}
      aria-rowindex={props.rowIndex}
      data-run-id={run.run_id}
    >
      <td className="jp-rf-RunRow-select">
        <div className="jp-rf-RunRow-ends">
          <input
            type="checkbox"
            aria-label={trans.__('Select run %1', run.run_id)}
            checked={isSelected}
            onChange={onChange}
          />
          {isNarrow && opener}
        </div>
      </td>
      {!isNarrow && <td className="jp-rf-RunRow-open">{opener}</td>}
      <RunName
        run={run}
        depth={props.depth}
        knobs={isNarrow ? props.knobs : undefined}
        trans={trans}
      />
      {props.columns.map(({ id, isNumeric, cell }) => (
        <td key={id} className={isNumeric ? 'jp-mod-numeric' : undefined}>
          {cell(run, props.pending)}
        </td>
      ))}
      <td className="jp-rf-RunRow-actions">
        <RunActions {...props} />
      </td>
    </tr>
  );
});
