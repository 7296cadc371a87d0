import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd
} from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import { IStateDB } from '@jupyterlab/statedb';
import { waitFor } from '@testing-library/dom';
import { CommandRegistry } from '@lumino/commands';
import { MessageLoop } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Panel, SplitPanel, Widget } from '@lumino/widgets';

import { fakeExperiment } from '../../__tests__/fakeService';
import plugins from '../../index';
import { dashboardPlugin } from '../../plugins/dashboard';
import { launcherPlugin } from '../../plugins/launcher';
import { sidebarPlugin } from '../../plugins/sidebar';
import { IRunActions } from '../../tokens';
import { CommandIDs } from '../commandIDs';
import { DashboardTab } from '../dashboards';
import { SharedService, sharedService } from './shellFakes';

jest.mock('../../sidebar/Sidebar', () => fakeViews());
jest.mock('../../dashboard/Dashboard', () => fakeViews());
// It draws notebook outputs: nothing of the shell.
jest.mock('../../plugins/output', () => ({
  outputPlugin: { id: 'rapidfire-lab:output' }
}));

/** Views that only keep what they were made with. */
function fakeViews() {
  const { Widget: Base } = jest.requireActual('@lumino/widgets');
  class View extends Base {
    constructor(readonly options: { experiment?: string; state?: object }) {
      super();
      this.experiment = options.experiment;
      this.state = options.state ?? {};
    }
    experiment: string | undefined;
    state: object;
  }
  return { SidebarWidget: View, DashboardWidget: View };
}

/** A shell with areas that take as many widgets as they are told. */
class FakeShell {
  constructor(private readonly _capacity: { [area: string]: number }) {}

  readonly areas: { [area: string]: Panel } = {};
  readonly activateById = jest.fn();

  add(widget: Widget, area: string): void {
    const panel = (this.areas[area] ??= new Panel());
    if (panel.widgets.length < (this._capacity[area] ?? 0)) {
      panel.addWidget(widget);
    }
  }
}

const LAB = { left: 9, main: 9 };
const NOTEBOOK = { left: 9, main: 0, down: 9 };
const OLD_NOTEBOOK = { left: 9, main: 0, right: 9 };

function appWith(capacity: { [area: string]: number }) {
  const commands = new CommandRegistry();
  const shell = new FakeShell(capacity);
  const app = { commands, shell } as unknown as JupyterFrontEnd;
  return { app, commands, shell };
}

function settled(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve));
}

const actions = {} as IRunActions;

describe('the plugins', () => {
  it('are all there, under names of their own', () => {
    const ids = plugins.map(plugin => plugin.id);
    expect(ids).toHaveLength(9);
    expect(new Set(ids).size).toBe(9);
    expect(ids).toContain('rapidfire-lab:plugin');
    for (const id of ids) {
      expect(id).toMatch(/^rapidfire-lab:/);
    }
  });
});

describe('the sidebar plugin', () => {
  it('adds the sidebar at once, for the layout to be restored', async () => {
    const { app, shell } = appWith(LAB);
    const add = jest.fn();
    await sidebarPlugin.activate(
      app,
      sharedService(),
      actions,
      null,
      { add } as unknown as ILayoutRestorer,
      null,
      null
    );
    const [panel] = shell.areas.left.widgets;
    expect(panel.id).toBe('rapidfire-lab:sidebar');
    expect(panel.title.caption).toBe('RapidFire Lab');
    expect(panel.title.icon).toBeTruthy();
    expect(add).toHaveBeenCalledWith(panel, 'rapidfire-lab:sidebar');
  });

  it('shows what was kept, and keeps what changes', async () => {
    const { app, shell } = appWith(LAB);
    const fetch = jest.fn(async () => ({ filter: 'lr' }));
    const save = jest.fn(async () => undefined);
    await sidebarPlugin.activate(
      app,
      sharedService(),
      actions,
      null,
      null,
      { fetch, save } as unknown as IStateDB,
      null
    );
    await settled();
    const [panel] = shell.areas.left.widgets as Panel[];
    const { options } = panel.widgets[0] as unknown as {
      options: { state: object; onStateChange: (state: object) => void };
    };
    expect(options.state).toEqual({ filter: 'lr' });
    options.onStateChange({ filter: 'l' });
    options.onStateChange({ filter: '' });
    await waitFor(() => expect(save).toHaveBeenCalled(), { timeout: 3000 });
    expect(save).toHaveBeenCalledTimes(1);
    expect(save).toHaveBeenCalledWith('rapidfire-lab:sidebar', { filter: '' });
  });

  it.each([
    ['cannot be read', () => Promise.reject(new Error('No.'))],
    ['is of no use', () => Promise.resolve('x')]
  ])('does without a kept state that %s', async (_, fetch) => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const { app, shell } = appWith(LAB);
    await sidebarPlugin.activate(
      app,
      sharedService(),
      actions,
      null,
      null,
      { fetch } as unknown as IStateDB,
      null
    );
    await settled();
    const [panel] = shell.areas.left.widgets as Panel[];
    expect(panel.widgets).toHaveLength(1);
    warn.mockRestore();
  });

  it('shows the sidebar by a command', async () => {
    const { app, commands, shell } = appWith(LAB);
    const addItem = jest.fn();
    await sidebarPlugin.activate(
      app,
      sharedService(),
      actions,
      { addItem },
      null,
      null,
      null
    );
    await commands.execute(CommandIDs.openSidebar);
    expect(shell.activateById).toHaveBeenCalledWith('rapidfire-lab:sidebar');
    expect(addItem).toHaveBeenCalled();
  });

  it('hands the focus on to what it shows', async () => {
    const { app, shell } = appWith(LAB);
    await sidebarPlugin.activate(
      app,
      sharedService(),
      actions,
      null,
      null,
      null,
      null
    );
    const [panel] = shell.areas.left.widgets as Panel[];
    await settled();
    const activate = jest.spyOn(panel.widgets[0], 'activate');
    MessageLoop.sendMessage(panel, Widget.Msg.ActivateRequest);
    expect(activate).toHaveBeenCalled();
  });
});

describe('the dashboard plugin', () => {
  let service: SharedService;

  beforeEach(() => {
    service = new SharedService();
  });

  async function activate(
    capacity: { [area: string]: number },
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null = null
  ) {
    const { app, commands, shell } = appWith(capacity);
    await dashboardPlugin.activate(
      app,
      service,
      actions,
      null,
      labShell,
      restorer,
      null
    );
    return { commands, shell };
  }

  it('opens a dashboard per experiment', async () => {
    const { commands, shell } = await activate(LAB, {} as ILabShell);
    const open = (experiment: string) =>
      commands.execute(CommandIDs.openDashboard, { experiment });
    const [first, second] = await Promise.all([open('digits'), open('digits')]);
    expect(first).toBe(second);
    await open('older');
    expect(shell.areas.main.widgets).toHaveLength(2);
    expect(shell.activateById).toHaveBeenCalledWith(first.id);
    expect(first.content.experiment).toBe('digits');
    expect(first.title.icon).toBeTruthy();
    expect(first.title.closable).toBe(true);
  });

  it('shows the newest experiment where none is named', async () => {
    const { commands, shell } = await activate(LAB, {} as ILabShell);
    const following = await commands.execute(CommandIDs.openDashboard);
    expect(following.content.experiment).toBeNull();
    expect(await commands.execute(CommandIDs.openDashboard)).toBe(following);
    following.dispose();
    const named = await commands.execute(CommandIDs.openDashboard, {
      experiment: 'digits'
    });
    expect(await commands.execute(CommandIDs.openDashboard)).toBe(named);
    service.tell({
      experiments: [fakeExperiment({ name: 'newer' }), ...service.experiments]
    });
    expect(await commands.execute(CommandIDs.openDashboard)).not.toBe(named);
    expect(shell.areas.main.widgets).toHaveLength(2);
  });

  it.each([
    ['below', NOTEBOOK, 'down'],
    ['beside', OLD_NOTEBOOK, 'right']
  ])(
    'opens it %s the document of a shell that has room for one',
    async (_, capacity, area) => {
      const { commands, shell } = await activate(capacity, null);
      await commands.execute(CommandIDs.openDashboard);
      expect(shell.areas[area].widgets).toHaveLength(1);
    }
  );

  it('makes room for it below the document', async () => {
    const { commands, shell } = await activate(NOTEBOOK, null);
    const split = new SplitPanel({ orientation: 'vertical' });
    split.addWidget(new Widget());
    split.addWidget((shell.areas.down = new Panel()));
    split.setRelativeSizes([1, 0]);
    await commands.execute(CommandIDs.openDashboard);
    expect(split.relativeSizes()).toEqual([0.5, 0.5]);
    split.dispose();
  });

  it('leaves it to JupyterLab to add it later', async () => {
    const { commands, shell } = await activate({}, {} as ILabShell);
    await commands.execute(CommandIDs.openDashboard);
    expect(Object.keys(shell.areas)).toEqual(['main']);
  });

  it('is opened again as it was', async () => {
    const restore = jest.fn(async () => undefined);
    const { commands } = await activate(
      LAB,
      {} as ILabShell,
      {
        restore
      } as unknown as ILayoutRestorer
    );
    const [, options] = restore.mock.calls[0] as unknown as [
      unknown,
      {
        command: string;
        args: (tab: DashboardTab) => object;
        name: (tab: DashboardTab) => string;
      }
    ];
    const args = { experiment: 'gone', state: { tab: 'knobs' } };
    const tab = await commands.execute(options.command, args);
    expect(options.args(tab)).toEqual(args);
    expect(options.name(tab)).toBe('gone');
    // The user chose another experiment in it.
    tab.content.experiment = null;
    tab.content.options.onStateChange({});
    expect(options.args(tab)).toMatchObject({ experiment: null });
    expect(options.name(tab)).toBe(':newest');
  });

  it('has a label for the launcher', async () => {
    const { commands } = await activate(LAB, {} as ILabShell);
    expect(commands.label(CommandIDs.openDashboard)).toBe(
      'RapidFire Lab: Open Dashboard'
    );
    expect(commands.label(CommandIDs.openDashboard, { isLauncher: true })).toBe(
      'RapidFire Lab Dashboard'
    );
    const { args } = await commands.describedBy(CommandIDs.openDashboard);
    expect(Object.keys((args?.properties as object) ?? {})).toEqual([
      'experiment',
      'state',
      'isLauncher'
    ]);
  });
});

describe('the launcher plugin', () => {
  it('adds a card', async () => {
    const add = jest.fn();
    const changed = new Signal<object, void>({});
    await launcherPlugin.activate(
      appWith(LAB).app,
      { add, changed } as unknown as ILauncher,
      null
    );
    expect(add).toHaveBeenCalledWith(
      expect.objectContaining({
        command: CommandIDs.openDashboard,
        args: { isLauncher: true },
        category: 'Other'
      })
    );
  });

  it('does without a launcher', async () => {
    await launcherPlugin.activate(appWith(LAB).app, null, null);
  });
});
