import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';

import { CommandIDs } from '../shell/commandIDs';
import { askDesktopPermission, DesktopPermission } from '../shell/desktop';
// Needed at activation: runs may end at any time.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { RunNotifier } from '../shell/notifier';
// Loaded by the above anyway.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { attempt, PASSING, STAYING } from '../shell/notify';
import { LabSettings } from '../shell/settings';
import { IRunActions, IRunService } from '../tokens';

/**
 * Tells of runs that ended, on the page and, where the user wants it, on the desktop.
 */
export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'rapidfire-lab:notifications',
  description: 'Notifies when runs complete or fail.',
  autoStart: true,
  requires: [IRunService, IRunActions],
  optional: [ICommandPalette, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IRunService,
    actions: IRunActions,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('rapidfire_lab');
    const settings = new LabSettings(registry);
    // It lives, like the service that it listens to, as long as the page.
    new RunNotifier({ actions, service, settings, trans });
    app.commands.addCommand(CommandIDs.enableDesktopNotifications, {
      label: trans.__('RapidFire Lab: Enable Desktop Notifications'),
      caption: trans.__(
        'Show on the desktop, while this page is hidden, that runs ended'
      ),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => attempt(() => enable(settings, trans), service, trans)
    });
    palette?.addItem({
      command: CommandIDs.enableDesktopNotifications,
      category: trans.__('RapidFire Lab')
    });
  }
};

async function enable(
  settings: LabSettings,
  trans: TranslationBundle
): Promise<void> {
  // Before all else: browsers only ask where a click or key of the user leads here directly.
  const permission = await askDesktopPermission();
  if (permission === 'granted') {
    await settings.set('desktopNotifications', true);
    Notification.success(explainPermission(permission, trans), PASSING);
  } else if (permission !== 'default') {
    Notification.warning(explainPermission(permission, trans), STAYING);
  }
}

function explainPermission(
  permission: DesktopPermission,
  trans: TranslationBundle
): string {
  switch (permission) {
    case 'granted':
      return trans.__(
        'While this page is hidden, the desktop shows that runs ended. The settings turn it off.'
      );
    case 'denied':
      return trans.__(
        'The browser blocks notifications of this page. Allow them in its site settings, then run this command again.'
      );
    case 'insecure':
      return trans.__(
        'The browser shows desktop notifications only for pages that were loaded over HTTPS.'
      );
    case 'unsupported':
      return trans.__('This browser has no desktop notifications.');
    case 'default':
      return trans.__('The browser was not allowed to show notifications.');
  }
}
