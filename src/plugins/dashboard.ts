import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { JSONExt, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { logoIcon } from '../icons';
import { experimentIn, experimentSchema } from '../shell/commandArgs';
import { CommandIDs } from '../shell/commandIDs';
// Needed at activation: the layout restorer takes its tracker. The dashboard itself is loaded later.
import { Dashboards } from '../shell/dashboards';
import { IRunActions, IRunService } from '../tokens';

/** A shell for single documents has no second place in its main area. */
const AREAS_OF_ANY_SHELL = ['main', 'down', 'right'];

/**
 * The dashboard of an experiment in the main area.
 */
export const dashboardPlugin: JupyterFrontEndPlugin<void> = {
  id: 'rapidfire-lab:dashboard',
  description: 'Opens dashboards of the experiments of RapidFire Lab.',
  autoStart: true,
  requires: [IRunService, IRunActions],
  optional: [ICommandPalette, ILabShell, ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IRunService,
    actions: IRunActions,
    palette: ICommandPalette | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('rapidfire_lab');
    const { shell } = app;
    // JupyterLab's shell takes every tab, but while it restores the layout it does so later.
    const areas = labShell ? ['main'] : AREAS_OF_ANY_SHELL;
    const dashboards = new Dashboards({
      actions,
      areas,
      service,
      shell,
      trans
    });
    const { properties, type } = experimentSchema(trans);
    app.commands.addCommand(CommandIDs.openDashboard, {
      label: args =>
        args.isLauncher
          ? trans.__('RapidFire Lab Dashboard')
          : trans.__('RapidFire Lab: Open Dashboard'),
      caption: trans.__('Open the dashboard of the newest experiment'),
      icon: logoIcon,
      describedBy: {
        args: {
          type,
          properties: {
            ...properties,
            state: {
              type: 'object',
              description: trans.__('What the dashboard shows, as it kept it.')
            },
            isLauncher: {
              type: 'boolean',
              description: trans.__('Whether the launcher asks.')
            }
          }
        }
      },
      execute: args =>
        dashboards.open({ experiment: experimentIn(args), ...stateIn(args) })
    });
    palette?.addItem({
      command: CommandIDs.openDashboard,
      category: trans.__('RapidFire Lab')
    });
    void restorer?.restore(dashboards.tracker, {
      command: CommandIDs.openDashboard,
      args: tab => dashboards.argsOf(tab),
      name: tab => dashboards.nameOf(tab)
    });
  }
};

function stateIn(args: ReadonlyPartialJSONObject): {
  state?: ReadonlyPartialJSONObject;
} {
  const { state } = args;
  return state && JSONExt.isObject(state) ? { state } : {};
}
