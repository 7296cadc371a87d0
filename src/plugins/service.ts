import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

// Needed at activation: what is provided here is what all other plugins wait for.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { RunService } from '../service';
import { IRunService } from '../tokens';

const PLUGIN_ID = 'rapidfire-lab:plugin';

/**
 * Gives all other plugins the live runs, at the pace of the settings.
 */
export const servicePlugin: JupyterFrontEndPlugin<IRunService> = {
  id: PLUGIN_ID,
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
    void follow(registry, service);
    return service;
  }
};

/** Settings that cannot be loaded leave the defaults: training is shown all the same. */
async function follow(
  registry: ISettingRegistry | null,
  service: RunService
): Promise<void> {
  try {
    const settings = await registry?.load(PLUGIN_ID);
    const apply = () => {
      const { refreshInterval, refreshIfHidden } = settings?.composite ?? {};
      if (typeof refreshInterval === 'number') {
        service.refreshInterval = 1000 * refreshInterval;
      }
      if (typeof refreshIfHidden === 'boolean') {
        service.refreshIfHidden = refreshIfHidden;
      }
    };
    settings?.changed.connect(apply);
    apply();
  } catch (error) {
    console.warn('The settings of RapidFire Lab could not be loaded.', error);
  }
}
