import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

// Needed at activation: the panel takes the manager itself.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { RunningManager } from '../shell/running';
import { IRunActions, IRunService } from '../tokens';

/**
 * Lists the engine and its runs with all else that is running.
 */
export const runningPlugin: JupyterFrontEndPlugin<void> = {
  id: 'rapidfire-lab:running',
  description:
    'Lists the RapidFire Lab engine and its runs in the running panel.',
  autoStart: true,
  requires: [IRunService, IRunActions],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IRunService,
    actions: IRunActions,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('rapidfire_lab');
    managers?.add(new RunningManager(service, actions, trans));
  }
};
