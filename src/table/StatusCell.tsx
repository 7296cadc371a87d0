import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import {
  endingText,
  ShownStatus,
  shownStatus,
  statusCaption,
  statusText
} from '../runs';
import { EngineState, IRun, OperationName } from '../tokens';
import { StatusIcon } from '../widgets/StatusIcon';

interface IStatusCellProps {
  run: IRun;
  engine: EngineState;

  /** What the run was asked for and has not done yet. */
  pending: OperationName | null;
  trans: TranslationBundle;
}

/**
 * A run's status as icon, word and colour.
 */
export function StatusCell(props: IStatusCellProps): JSX.Element {
  const { run, engine, pending, trans } = props;
  const status = pending === 'stop' ? 'stopping' : shownStatus(run, engine);
  return (
    <span
      className="jp-rf-Status"
      data-status={status}
      title={statusTitle(run, status, trans)}
    >
      <StatusIcon status={status} />
      <span className="jp-rf-Status-word">
        {pending ? pendingText(pending, trans) : statusText(status, trans)}
      </span>
    </span>
  );
}

export function pendingText(
  operation: OperationName,
  trans: TranslationBundle
): string {
  switch (operation) {
    case 'stop':
    case 'cancel':
      return trans.__('stopping…');
    case 'resume':
      return trans.__('resuming…');
    case 'delete':
      return trans.__('deleting…');
    case 'clone':
      return trans.__('cloning…');
  }
}

function statusTitle(
  run: IRun,
  status: ShownStatus,
  trans: TranslationBundle
): string {
  // All its epochs is what completed means anyway, and an error has words of its own.
  const isPlain = run.ended_by === 'epochs' || run.ended_by === 'error';
  if (!run.ended_by || isPlain || run.ended === null) {
    return statusCaption(status, trans);
  }
  const caption =
    status === 'completed'
      ? trans.__('Is done before its last epoch')
      : statusCaption(status, trans);
  return trans.__('%1 (%2)', caption, endingText(run.ended_by, trans));
}
