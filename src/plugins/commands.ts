import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

// Needed at activation: the actions are what is provided.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { RunActions } from '../shell/actions';
import { CommandIDs } from '../shell/commandIDs';
// Needed at activation: these are the commands.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { addEngineCommands, addRunCommands } from '../shell/commands';
import { IRunActions, IRunService } from '../tokens';

const LISTED = [
  CommandIDs.showEngine,
  CommandIDs.startEngine,
  CommandIDs.stopEngine,
  CommandIDs.stopRuns,
  CommandIDs.resumeRuns,
  CommandIDs.cloneRun,
  CommandIDs.deleteRuns,
  CommandIDs.cancelAll
];

/**
 * What users can do with the engine and with runs: as commands, and as actions for all views.
 */
export const commandsPlugin: JupyterFrontEndPlugin<IRunActions> = {
  id: 'rapidfire-lab:commands',
  description:
    'Adds commands that steer the RapidFire Lab engine and its runs.',
  autoStart: true,
  provides: IRunActions,
  requires: [IRunService],
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IRunService,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): IRunActions => {
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load('rapidfire_lab');
    const actions = new RunActions({
      service,
      trans,
      openDashboard: experiment =>
        commands.execute(
          CommandIDs.openDashboard,
          experiment ? { experiment } : {}
        )
    });
    addEngineCommands({ actions, commands, service, trans });
    addRunCommands({ actions, commands, service, trans });
    for (const command of LISTED) {
      palette?.addItem({ command, category: trans.__('RapidFire Lab') });
    }
    // The service is told of the engine while something is watched: that is what tells the
    // commands whether they are enabled. It lives as long as the page.
    service.watch(null);
    new Enablement(app, service);
    return actions;
  }
};

/**
 * Has menus and the palette look again at what is enabled, when that may have changed.
 */
class Enablement {
  constructor(
    private readonly _app: JupyterFrontEnd,
    private readonly _service: IRunService
  ) {
    _service.changed.connect(this._onChanged, this);
  }

  private _onChanged(): void {
    const { engine, experiments } = this._service;
    const state = `${engine} ${experiments.length > 0}`;
    if (state !== this._state) {
      this._state = state;
      LISTED.forEach(id => this._app.commands.notifyCommandChanged(id));
    }
  }

  private _state = '';
}
