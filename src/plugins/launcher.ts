import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../shell/commandIDs';

/**
 * A card that opens the dashboard.
 */
export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: 'rapidfire-lab:launcher',
  description: 'Adds the RapidFire Lab dashboard to the launcher.',
  autoStart: true,
  optional: [ILauncher, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    launcher: ILauncher | null,
    translator: ITranslator | null
  ): void => {
    launcher?.add({
      command: CommandIDs.openDashboard,
      args: { isLauncher: true },
      // Core's own word for its category: in ours, the card would stand apart in other languages.
      category: (translator ?? nullTranslator).load('jupyterlab').__('Other'),
      rank: 10
    });
  }
};
