import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

// Needed at activation: what is provided here is what all other plugins wait for.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { RunService } from '../service';
import { LabSettings, SETTINGS_ID } from '../shell/settings';
import { IRunService } from '../tokens';

/**
 * Gives all other plugins the live runs, as the settings have it.
 */
export const servicePlugin: JupyterFrontEndPlugin<IRunService> = {
  id: SETTINGS_ID,
  description: 'Keeps the runs of the RapidFire Lab engine up to date.',
  autoStart: true,
  provides: IRunService,
  optional: [ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    registry: ISettingRegistry | null
  ): IRunService => {
    const service = new RunService({
      settings: app.serviceManager.serverSettings
    });
    // They live, like the service, as long as the page.
    const settings = new LabSettings(registry);
    settings.changed.connect(({ values }) => {
      service.refreshInterval = 1000 * values.refreshInterval;
      service.refreshIfHidden = values.refreshIfHidden;
      service.defaultMetric = values.keyMetric || null;
    });
    return service;
  }
};
