import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { logoIcon } from '../icons';
import { CommandIDs } from '../shell/commandIDs';
import { KeptState } from '../shell/state';
import type { ISidebarState } from '../sidebar/Sidebar';
import { SidebarPanel } from '../sidebar/SidebarPanel';
import { IRunActions, IRunService } from '../tokens';

const SIDEBAR_ID = 'rapidfire-lab:sidebar';

/** After the files (100), the running panel (200) and the table of contents of core. */
const RANK = 450;

/**
 * The runs in the left sidebar: the home of RapidFire Lab, there whatever notebooks are open.
 */
export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'rapidfire-lab:sidebar',
  description: 'Adds a sidebar with the live runs of RapidFire Lab.',
  autoStart: true,
  requires: [IRunService, IRunActions],
  optional: [ICommandPalette, ILayoutRestorer, IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IRunService,
    actions: IRunActions,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    stateDB: IStateDB | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('rapidfire_lab');
    const panel = new SidebarPanel(SIDEBAR_ID, trans);
    app.shell.add(panel, 'left', { rank: RANK });
    restorer?.add(panel, SIDEBAR_ID);

    const kept = new KeptState(stateDB, SIDEBAR_ID);
    const fill = async () => {
      const { SidebarWidget } = await import('../sidebar/Sidebar');
      const state = (await kept.fetch()) as ISidebarState;
      const onStateChange = (changed: ISidebarState) => kept.save(changed);
      panel.addWidget(
        new SidebarWidget({ actions, onStateChange, service, state, trans })
      );
    };
    // Not awaited: the state is there once the page has started, which waits for us.
    void fill();

    app.commands.addCommand(CommandIDs.openSidebar, {
      label: trans.__('RapidFire Lab: Show Runs'),
      caption: trans.__('Show the live runs in the sidebar'),
      icon: logoIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(SIDEBAR_ID)
    });
    palette?.addItem({
      command: CommandIDs.openSidebar,
      category: trans.__('RapidFire Lab')
    });
  }
};
