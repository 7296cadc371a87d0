import { TranslationBundle } from '@jupyterlab/translation';
import {
  deleteIcon,
  duplicateIcon,
  LabIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';

import { isLegal } from '../runs';
import { IRun, IRunActions, OperationName } from '../tokens';
import { pendingText } from './StatusCell';

/** What a row offers, in this order. */
export const ROW_ACTIONS = ['stop', 'resume', 'clone', 'delete'] as const;

export type RowAction = (typeof ROW_ACTIONS)[number];

export const ACTION_ICONS: { [action in RowAction]: LabIcon } = {
  stop: stopIcon,
  resume: runIcon,
  clone: duplicateIcon,
  delete: deleteIcon
};

export function actionLabel(
  action: RowAction,
  run: IRun,
  trans: TranslationBundle
): string {
  switch (action) {
    case 'stop':
      return trans.__('Stop run %1', run.run_id);
    case 'resume':
      return trans.__('Resume run %1', run.run_id);
    case 'clone':
      return trans.__('Clone run %1', run.run_id);
    case 'delete':
      return trans.__('Delete run %1', run.run_id);
  }
}

/**
 * Why an action cannot be asked for; null if it can.
 *
 * @param blocked - Why none can, if so.
 */
export function actionReason(
  action: RowAction,
  run: IRun,
  pending: OperationName | null,
  blocked: string | null,
  trans: TranslationBundle
): string | null {
  if (pending) {
    return trans.__('Run %1: %2', run.run_id, pendingText(pending, trans));
  }
  return isLegal(action, run) ? blocked : illegalText(action, run, trans);
}

function illegalText(
  action: RowAction,
  run: IRun,
  trans: TranslationBundle
): string {
  if (action === 'stop' && run.wanted === 'stopped') {
    return trans.__('Run %1 is stopping', run.run_id);
  }
  return action === 'stop'
    ? trans.__('Only queued and running runs can be stopped')
    : trans.__('Only stopped and failed runs can be resumed');
}

export function perform(
  action: RowAction,
  experiment: string,
  run: IRun,
  actions: IRunActions
): Promise<void> {
  return action === 'clone'
    ? actions.clone(experiment, run)
    : actions[action](experiment, [run]);
}
