import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { isActive } from '../runs';
import { IRun, IRunActions, OperationName } from '../tokens';
import { ActionButton } from '../widgets/ActionButton';
import {
  ACTION_ICONS,
  actionLabel,
  actionReason,
  perform,
  ROW_ACTIONS,
  RowAction
} from './rowActions';
import { RunMenu } from './RunMenu';

export interface IRunActionsProps {
  run: IRun;
  pending: OperationName | null;

  /** Why nothing can be done at present; null if it can. */
  blocked: string | null;
  experiment: string;
  actions: IRunActions;

  /** Whether all but the most telling action are in a menu. */
  isNarrow: boolean;
  trans: TranslationBundle;
}

/**
 * The buttons of a row.
 */
export function RunActions(props: IRunActionsProps): JSX.Element {
  const { run, pending, blocked, trans } = props;
  const button = (action: RowAction, key: string = action) => (
    <ActionButton
      key={key}
      icon={ACTION_ICONS[action]}
      label={actionLabel(action, run, trans)}
      reason={actionReason(action, run, pending, blocked, trans)}
      isDanger={action === 'delete'}
      onClick={() => void perform(action, props.experiment, run, props.actions)}
    />
  );
  if (!props.isNarrow) {
    return (
      <div className="jp-rf-RunActions">
        {ROW_ACTIONS.map(action => button(action))}
      </div>
    );
  }
  const first = isActive(run) ? 'stop' : 'resume';
  return (
    <div className="jp-rf-RunActions">
      {/* One key: the focus stays when "stop" turns into "resume". */}
      {button(first, 'first')}
      <RunMenu {...props} offered={ROW_ACTIONS.filter(it => it !== first)} />
    </div>
  );
}
