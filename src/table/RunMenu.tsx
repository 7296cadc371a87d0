import { ellipsesIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MenuButton } from '../widgets/MenuButton';
import { MenuItem } from '../widgets/MenuItem';
import {
  ACTION_ICONS,
  actionLabel,
  actionReason,
  perform,
  RowAction
} from './rowActions';
import type { IRunActionsProps } from './RunActions';

interface IRunMenuProps extends IRunActionsProps {
  offered: readonly RowAction[];
}

/**
 * What else can be done with a run.
 */
export function RunMenu(props: IRunMenuProps): JSX.Element {
  const { run, pending, blocked, offered, trans } = props;
  return (
    <MenuButton
      className="jp-rf-ActionButton"
      label={trans.__('More actions of run %1', run.run_id)}
      icon={ellipsesIcon}
    >
      {close =>
        offered.map(action => (
          <MenuItem
            key={action}
            icon={ACTION_ICONS[action]}
            reason={actionReason(action, run, pending, blocked, trans)}
            isDanger={action === 'delete'}
            onClick={() => {
              close();
              void perform(action, props.experiment, run, props.actions);
            }}
          >
            {actionLabel(action, run, trans)}
          </MenuItem>
        ))
      }
    </MenuButton>
  );
}
