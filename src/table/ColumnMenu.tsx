import { TranslationBundle } from '@jupyterlab/translation';
import { settingsIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MenuButton } from '../widgets/MenuButton';
import { MenuItem } from '../widgets/MenuItem';
import { ColumnGroup, IColumn, shownColumns } from './columns';
import { ICompleteState, IRunTableState } from './tableState';

interface IColumnMenuProps {
  columns: readonly IColumn[];
  state: ICompleteState;
  onChange: (change: IRunTableState) => void;
  isNarrow: boolean;
  trans: TranslationBundle;
}

const GROUPS: readonly ColumnGroup[] = ['run', 'metric', 'knob'];

/**
 * Which columns the table has.
 */
export function ColumnMenu(props: IColumnMenuProps): JSX.Element {
  const { columns, state, onChange, isNarrow, trans } = props;
  const shown = new Set(shownColumns(columns, state).map(({ id }) => id));
  const toggle = (id: string) =>
    onChange({ columns: { ...state.columns, [id]: !shown.has(id) } });
  return (
    <MenuButton
      className="jp-rf-Button"
      label={trans.__('Choose columns')}
      icon={settingsIcon}
      text={isNarrow ? undefined : trans.__('Columns')}
    >
      {() => (
        <>
          {GROUPS.map(group => {
            const members = columns.filter(column => column.group === group);
            return members.length ? (
              <div
                key={group}
                className="jp-rf-Menu-group"
                role="group"
                aria-label={groupLabel(group, trans)}
              >
                <div className="jp-rf-Menu-heading" aria-hidden="true">
                  {groupLabel(group, trans)}
                </div>
                {members.map(({ id, label }) => (
                  <MenuItem
                    key={id}
                    isChecked={shown.has(id)}
                    onClick={() => toggle(id)}
                  >
                    {label}
                  </MenuItem>
                ))}
              </div>
            ) : null;
          })}
          <div className="jp-rf-Menu-group">
            <MenuItem
              isChecked={state.grouped}
              onClick={() => onChange({ grouped: !state.grouped })}
            >
              {trans.__('Clones beneath their parents')}
            </MenuItem>
            <MenuItem onClick={() => onChange({ columns: {} })}>
              {trans.__('Columns by default')}
            </MenuItem>
          </div>
        </>
      )}
    </MenuButton>
  );
}

function groupLabel(group: ColumnGroup, trans: TranslationBundle): string {
  switch (group) {
    case 'run':
      return trans.__('Columns');
    case 'metric':
      return trans.__('Metrics');
    case 'knob':
      return trans.__('Knobs');
  }
}
