import { caretDownIcon, caretUpIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { ISort } from './tableState';

interface IHeaderCellProps {
  /** Id of the column. */
  id: string;
  label: string;
  title?: string;
  isNumeric?: boolean;
  sort: ISort;
  onSort: (sort: ISort) => void;
}

/**
 * The header of a column; pressing it sorts, once more the other way round.
 */
export function HeaderCell(props: IHeaderCellProps): JSX.Element {
  const { id, label, title, isNumeric, sort, onSort } = props;
  const isSorted = sort.column === id;
  const descending = isSorted && !sort.descending;
  const Caret = sort.descending ? caretDownIcon : caretUpIcon;
  return (
    <th
      scope="col"
      className={isNumeric ? 'jp-mod-numeric' : undefined}
      aria-sort={
        isSorted ? (sort.descending ? 'descending' : 'ascending') : undefined
      }
    >
      <button
        type="button"
        className="jp-rf-HeaderCell"
        title={title ?? label}
        onClick={() => onSort({ column: id, descending })}
      >
        <span className="jp-rf-HeaderCell-label">{label}</span>
        {isSorted && <Caret.react tag="span" display="inline-flex" />}
      </button>
    </th>
  );
}
