import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { CommandIDs } from '../shell/commandIDs';
import { LabSettings } from '../shell/settings';
// Needed at activation: the status bar takes the item itself.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { StatusItem } from '../shell/StatusItem';
import { IRunService } from '../tokens';

/**
 * Shows in the status bar how many runs train, while any do.
 */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'rapidfire-lab:status',
  description: 'Shows in the status bar how many runs train.',
  autoStart: true,
  requires: [IRunService],
  optional: [IStatusBar, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IRunService,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    if (!statusBar) {
      return;
    }
    const settings = new LabSettings(registry);
    const item = new StatusItem({
      service,
      trans: (translator ?? nullTranslator).load('rapidfire_lab'),
      open: () => void app.commands.execute(CommandIDs.openSidebar)
    });
    // Two things decide whether it is shown; the status bar listens to one signal.
    const activeStateChanged = new Signal<StatusItem, void>(item);
    const onChanged = () => activeStateChanged.emit();
    item.activeStateChanged.connect(onChanged, item);
    settings.changed.connect(onChanged, item);
    statusBar.registerStatusItem('rapidfire-lab:status', {
      item,
      align: 'left',
      rank: 50,
      isActive: () => settings.values.showStatusBarItem && item.isActive,
      activeStateChanged
    });
  }
};
