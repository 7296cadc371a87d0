import { TranslationBundle } from '@jupyterlab/translation';

import { EngineState, IRun, OperationName } from './tokens';

/**
 * A run's status in the words of tables: the journal's, and what the engine's state makes of it.
 *
 * "interrupted" is an active run whose engine is not there: it goes on when the engine starts.
 */
export type ShownStatus =
  | 'queued'
  | 'running'
  | 'stopping'
  | 'interrupted'
  | 'stopped'
  | 'completed'
  | 'failed';

/**
 * Whether a run trains or waits for its turn, as the journal has it.
 */
export function isActive(run: IRun): boolean {
  return run.status === 'queued' || run.status === 'running';
}

export function shownStatus(run: IRun, engine: EngineState): ShownStatus {
  if (isActive(run) && engine === 'not running') {
    return 'interrupted';
  }
  if (run.status === 'deleted') {
    return 'stopped';
  }
  return run.wanted === 'stopped' ? 'stopping' : run.status;
}

/**
 * Whether the engine would carry an operation out on a run in its present status.
 */
export function isLegal(operation: OperationName, run: IRun): boolean {
  switch (operation) {
    case 'stop':
    case 'cancel':
      return isActive(run) && run.wanted !== 'stopped';
    case 'resume':
      return run.status === 'stopped' || run.status === 'failed';
    case 'delete':
    case 'clone':
      return run.status !== 'deleted';
  }
}

export function statusText(
  status: ShownStatus,
  trans: TranslationBundle
): string {
  switch (status) {
    case 'queued':
      return trans.__('queued');
    case 'running':
      return trans.__('running');
    case 'stopping':
      return trans.__('stopping');
    case 'interrupted':
      return trans.__('interrupted');
    case 'stopped':
      return trans.__('stopped');
    case 'completed':
      return trans.__('completed');
    case 'failed':
      return trans.__('failed');
  }
}

/**
 * What a status means, for those who hover over it.
 */
export function statusCaption(
  status: ShownStatus,
  trans: TranslationBundle
): string {
  switch (status) {
    case 'queued':
      return trans.__('Waits for its first turn on a slot');
    case 'running':
      return trans.__('Trains, in turns with the other runs');
    case 'stopping':
      return trans.__('Stops after its present minibatch');
    case 'interrupted':
      return trans.__(
        'The engine is not running; the run goes on when it starts'
      );
    case 'stopped':
      return trans.__('Can be resumed where it stopped');
    case 'completed':
      return trans.__('Has trained all its epochs');
    case 'failed':
      return trans.__('Can be resumed from its last commit');
  }
}

/**
 * What ended a run; a word of a newer engine stands for itself.
 */
export function endingText(endedBy: string, trans: TranslationBundle): string {
  switch (endedBy) {
    case 'epochs':
      return trans.__('all epochs trained');
    case 'converged':
      return trans.__('converged');
    case 'user':
      return trans.__('stopped by the user');
    case 'policy':
      return trans.__('stopped by a policy');
    case 'search':
      return trans.__('stopped by the search');
    case 'error':
      return trans.__('an error');
    default:
      return endedBy;
  }
}
