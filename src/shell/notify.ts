import { Notification } from '@jupyterlab/apputils';
import { ServerConnection } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import { explainError } from '../explain';
import { IRunService } from '../tokens';

// Without `autoClose` a notification only counts up the bell in the status bar.

/** Options of notifications that go by themselves. */
export const PASSING = { autoClose: 6000 };

/** Milliseconds that a failure is shown: time to read it, not to have it cover the runs for good. */
const FAILURE_MS = 10_000;

/**
 * Options of notifications of what went wrong: the bell keeps them when they go. While the page is
 * hidden, they wait to be seen.
 */
export function failing(): { autoClose: number | false } {
  return { autoClose: document.hidden ? false : FAILURE_MS };
}

/** Options of notifications that the user has to see. */
export const STAYING = { autoClose: false as const };

/**
 * Show what went wrong; with a button that starts the engine where that is what is missing.
 */
function notifyError(
  error: unknown,
  service: IRunService,
  trans: TranslationBundle
): void {
  const actions = isEngineMissing(error, service)
    ? [startAction(service, trans)]
    : [];
  Notification.error(explainError(error, trans), { ...failing(), actions });
}

/**
 * Show what goes wrong in `task` instead of throwing it.
 */
export async function attempt(
  task: () => Promise<unknown>,
  service: IRunService,
  trans: TranslationBundle
): Promise<void> {
  try {
    await task();
  } catch (error) {
    notifyError(error, service, trans);
  }
}

function isEngineMissing(error: unknown, service: IRunService): boolean {
  return (
    error instanceof ServerConnection.ResponseError &&
    error.response.status === 503 &&
    service.connection === 'online' &&
    service.engine === 'not running'
  );
}

function startAction(
  service: IRunService,
  trans: TranslationBundle
): Notification.IAction {
  return {
    label: trans.__('Start Engine'),
    caption: trans.__('Start the engine; runs that it left go on'),
    callback: () => {
      service.startEngine().catch(error => {
        // No button any more: the engine has just failed to start.
        Notification.error(explainError(error, trans), failing());
      });
    }
  };
}
