import { TranslationBundle } from '@jupyterlab/translation';
import { filterListIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { ShownStatus, statusText } from '../runs';
import { MenuButton } from '../widgets/MenuButton';
import { MenuItem } from '../widgets/MenuItem';
import { STATUSES } from './tableState';

interface IStatusMenuProps {
  /** How many runs there are of each status. */
  counts: ReadonlyMap<ShownStatus, number>;

  /** Those that are shown; none stands for all. */
  chosen: readonly ShownStatus[];
  onChange: (chosen: ShownStatus[]) => void;
  isNarrow: boolean;
  trans: TranslationBundle;
}

/**
 * Which statuses the table shows.
 */
export function StatusMenu(props: IStatusMenuProps): JSX.Element {
  const { counts, chosen, onChange, isNarrow, trans } = props;
  const toggle = (status: ShownStatus) =>
    onChange(STATUSES.filter(it => chosen.includes(it) !== (it === status)));
  const offered = STATUSES.filter(
    status => counts.has(status) || chosen.includes(status)
  );
  return (
    <MenuButton
      className={`jp-rf-Button${chosen.length ? ' jp-mod-active' : ''}`}
      label={trans.__('Filter by status')}
      icon={filterListIcon}
      text={isNarrow ? undefined : chosenText(chosen, trans)}
    >
      {() => (
        <>
          {offered.map(status => (
            <MenuItem
              key={status}
              isChecked={chosen.includes(status)}
              onClick={() => toggle(status)}
            >
              {trans.__(
                '%1 (%2)',
                statusText(status, trans),
                counts.get(status) ?? 0
              )}
            </MenuItem>
          ))}
          <div className="jp-rf-Menu-group">
            <MenuItem onClick={() => onChange([])}>
              {trans.__('All statuses')}
            </MenuItem>
          </div>
        </>
      )}
    </MenuButton>
  );
}

function chosenText(
  chosen: readonly ShownStatus[],
  trans: TranslationBundle
): string {
  if (chosen.length === 1) {
    return statusText(chosen[0], trans);
  }
  return chosen.length
    ? trans._n('%1 status', '%1 statuses', chosen.length)
    : trans.__('All statuses');
}
