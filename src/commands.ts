import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { IDisposable } from '@lumino/disposable';

import { explainError } from './explain';
import { IEngineService, IEngineStatus } from './tokens';

export namespace CommandIDs {
  export const showEngine = 'rapidfire-lab:show-engine';
}

// Without `autoClose` a notification only counts up the bell in the status bar.
const PASSING = { autoClose: 6000 };
const STAYING = { autoClose: false as const };

/**
 * Register the commands that concern the engine.
 */
export function addEngineCommands(
  commands: CommandRegistry,
  engine: IEngineService,
  trans: TranslationBundle
): IDisposable {
  return commands.addCommand(CommandIDs.showEngine, {
    label: trans.__('RapidFire Lab: Show Engine Status'),
    caption: trans.__('Show whether the engine that trains is running'),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: async () => {
      try {
        announce(await engine.status(), trans);
      } catch (error) {
        Notification.error(explainError(error, trans), STAYING);
      }
    }
  });
}

function announce(status: IEngineStatus, trans: TranslationBundle): void {
  switch (status.state) {
    case 'running':
      Notification.success(
        trans.__(
          'The RapidFire Lab engine is running (version %1, home %2).',
          status.version,
          status.home
        ),
        PASSING
      );
      break;
    case 'idle':
      Notification.info(
        trans.__(
          'The RapidFire Lab engine is idle: it has no run to train (version %1, home %2).',
          status.version,
          status.home
        ),
        PASSING
      );
      break;
    case 'not running':
      Notification.info(
        trans.__(
          'The RapidFire Lab engine is not running. It starts with the first experiment (version %1, home %2).',
          status.version,
          status.home
        ),
        PASSING
      );
      break;
  }
}
