import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { getEngine } from '../api';
import { addEngineCommands, CommandIDs } from '../commands';
import { IEngineService } from '../tokens';

/**
 * Gives other plugins access to the engine, and users a command to see its state.
 */
export const enginePlugin: JupyterFrontEndPlugin<IEngineService> = {
  id: 'rapidfire-lab:plugin',
  description: 'Shows the state of the RapidFire Lab engine.',
  autoStart: true,
  provides: IEngineService,
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): IEngineService => {
    const trans = (translator ?? nullTranslator).load('rapidfire_lab');
    const engine: IEngineService = {
      status: () => getEngine(app.serviceManager.serverSettings)
    };
    addEngineCommands(app.commands, engine, trans);
    palette?.addItem({
      command: CommandIDs.showEngine,
      category: trans.__('RapidFire Lab')
    });
    return engine;
  }
};
