import * as React from 'react';

import { HeaderCell } from './HeaderCell';
import type { IRunGridProps } from './RunGrid';

/**
 * Widths of the columns that every table has, in em. All widths are fixed, so that nothing
 * jumps when numbers change or other rows are scrolled into view.
 */
export const WIDTHS = {
  // Of two lines: what opens the details is below the check box. With the other columns of the
  // sidebar, they fit into 240 pixels.
  narrow: { select: 1.9, open: 0, run: 4.4, actions: 1.8 },
  wide: { select: 2.2, open: 1.8, run: 6, actions: 8.4 }
};

/**
 * The header of the table.
 */
export function GridHead(props: IRunGridProps): JSX.Element {
  const { columns, sort, onSort, isNarrow, trans } = props;
  const { select, open, run, actions } = isNarrow ? WIDTHS.narrow : WIDTHS.wide;
  return (
    <>
      <colgroup>
        <col style={{ width: `${select}em` }} />
        {!isNarrow && <col style={{ width: `${open}em` }} />}
        <col style={{ width: `${run}em` }} />
        {columns.map(({ id, width, isFlexible }) => (
          <col
            key={id}
            style={isFlexible ? undefined : { width: `${width}em` }}
          />
        ))}
        <col style={{ width: `${actions}em` }} />
      </colgroup>
      <thead>
        <tr aria-rowindex={1}>
          <td className="jp-rf-RunRow-select">
            <SelectAll {...props} />
          </td>
          {!isNarrow && <td />}
          <HeaderCell
            id="run"
            label={trans.__('Run')}
            sort={sort}
            onSort={onSort}
          />
          {columns.map(({ id, label, title, isNumeric }) => (
            <HeaderCell
              key={id}
              id={id}
              label={label}
              title={title}
              isNumeric={isNumeric}
              sort={sort}
              onSort={onSort}
            />
          ))}
          <th scope="col" className="jp-rf-RunRow-actions">
            <span className="jp-rf-visuallyHidden">{trans.__('Actions')}</span>
          </th>
        </tr>
      </thead>
    </>
  );
}

function SelectAll(props: IRunGridProps): JSX.Element {
  const { order, selection, trans } = props;
  const box = React.useRef<HTMLInputElement>(null);
  const count = selection.runIds.length;
  React.useLayoutEffect(() => {
    if (box.current) {
      // Not an attribute: React cannot set it.
      box.current.indeterminate = count > 0 && count < order.length;
    }
  });
  return (
    <input
      ref={box}
      type="checkbox"
      aria-label={trans.__('Select all runs shown')}
      title={trans.__('Select all runs shown')}
      checked={count > 0 && count === order.length}
      onChange={() => selection.setAll(count < order.length)}
    />
  );
}
