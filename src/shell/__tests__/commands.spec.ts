import { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, ICommandPalette, Notification } from '@jupyterlab/apputils';
import { waitFor } from '@testing-library/dom';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { fakeExperiment } from '../../__tests__/fakeService';
import { ApiLevelError } from '../../api';
import { showCloneDialog } from '../../clone/CloneDialog';
import { confirmDelete } from '../../clone/confirmDelete';
import { commandsPlugin } from '../../plugins/commands';
import { ServerExtensionMissingError } from '../../request';
import { EngineState, IRunActions } from '../../tokens';
import { CommandIDs } from '../commandIDs';
import { press } from './press';
import { fakeRun, SharedService } from './shellFakes';

jest.mock('../../clone/CloneDialog', () => ({ showCloneDialog: jest.fn() }));
jest.mock('../../clone/confirmDelete', () => ({ confirmDelete: jest.fn() }));

const STATUS = {
  version: '0.1.0',
  api_level: 2,
  state: 'running',
  home: '/srv/lab',
  home_key: 'abc'
};

describe('the commands plugin', () => {
  let service: SharedService;
  let commands: CommandRegistry;
  let actions: IRunActions;
  let addItem: jest.Mock;

  beforeEach(async () => {
    jest.mocked(confirmDelete).mockReset().mockResolvedValue(true);
    jest.mocked(showCloneDialog).mockReset().mockResolvedValue(null);
    service = new SharedService();
    service.runs = [
      fakeRun(),
      fakeRun({ run_id: 2, status: 'queued', knobs: {} }),
      fakeRun({ run_id: 3, status: 'stopped' })
    ];
    commands = new CommandRegistry();
    addItem = jest.fn();
    actions = await commandsPlugin.activate(
      { commands } as unknown as JupyterFrontEnd,
      service,
      { addItem } as unknown as ICommandPalette,
      nullTranslator
    );
  });

  afterEach(() => {
    Notification.dismiss();
    Dialog.flush();
  });

  function shown() {
    return Notification.manager.notifications.map(
      ({ type, message, options }) => ({
        type,
        message,
        autoClose: options.autoClose
      })
    );
  }

  it('works without a palette and a translator', async () => {
    await commandsPlugin.activate(
      { commands: new CommandRegistry() } as unknown as JupyterFrontEnd,
      service,
      null,
      null
    );
  });

  it('describes all its commands, and lists them', async () => {
    const ids = commands.listCommands();
    expect(ids).toHaveLength(8);
    for (const id of ids) {
      expect(commands.label(id)).toMatch(/^RapidFire Lab: /);
      expect(commands.caption(id)).not.toBe('');
      const { args } = await commands.describedBy(id);
      expect(args).toMatchObject({ type: 'object' });
      expect(addItem).toHaveBeenCalledWith({
        command: id,
        category: 'RapidFire Lab'
      });
    }
    const { args } = await commands.describedBy(CommandIDs.stopRuns);
    expect(args).toMatchObject({
      properties: {
        experiment: { type: 'string' },
        run_ids: { type: 'array', items: { type: 'integer' } }
      }
    });
  });

  it('opens the dashboard by its command', async () => {
    const execute = jest.fn();
    commands.addCommand(CommandIDs.openDashboard, {
      describedBy: { args: {} },
      execute
    });
    await actions.openDashboard('digits');
    expect(execute).toHaveBeenLastCalledWith({ experiment: 'digits' });
    await actions.openDashboard(null);
    expect(execute).toHaveBeenLastCalledWith({});
  });

  describe('what is enabled', () => {
    it('depends on the engine', () => {
      expect(commands.isEnabled(CommandIDs.startEngine)).toBe(false);
      expect(commands.isEnabled(CommandIDs.stopEngine)).toBe(true);
      expect(commands.isEnabled(CommandIDs.stopRuns)).toBe(true);
      service.tell({ engine: 'not running' });
      expect(commands.isEnabled(CommandIDs.startEngine)).toBe(true);
      expect(commands.isEnabled(CommandIDs.stopEngine)).toBe(false);
      expect(commands.isEnabled(CommandIDs.stopRuns)).toBe(false);
      expect(commands.isEnabled(CommandIDs.cancelAll)).toBe(false);
      expect(commands.isEnabled(CommandIDs.resumeRuns)).toBe(true);
    });

    it('depends on there being an experiment', () => {
      service.tell({ experiments: [] });
      expect(commands.isEnabled(CommandIDs.cloneRun)).toBe(false);
      expect(commands.isEnabled(CommandIDs.showEngine)).toBe(true);
    });

    it('is told when it changes, and only then', () => {
      const changed = jest.fn();
      service.tell({});
      commands.commandChanged.connect(changed);
      service.tell({ runs: [] });
      expect(changed).not.toHaveBeenCalled();
      service.tell({ engine: 'idle' });
      expect(changed).toHaveBeenCalled();
    });

    it('is known although no view is open', () => {
      expect(service.watched).toBe(1);
    });
  });

  describe('runs that are named', () => {
    it('are stopped without a question', async () => {
      await commands.execute(CommandIDs.stopRuns, { run_ids: [2] });
      expect(service.operate).toHaveBeenCalledWith('digits', {
        operation: 'stop',
        run_ids: [2]
      });
      expect(service.watched).toBe(1);
    });

    it('may be of an older experiment', async () => {
      await commands.execute(CommandIDs.resumeRuns, {
        experiment: 'older',
        run_ids: [3]
      });
      expect(service.operate).toHaveBeenCalledWith(
        'older',
        expect.objectContaining({ operation: 'resume', run_ids: [3] })
      );
    });

    it('have to be there', async () => {
      await commands.execute(CommandIDs.deleteRuns, { run_ids: [3, 9] });
      expect(service.operate).not.toHaveBeenCalled();
      expect(shown()).toEqual([
        { type: 'error', message: 'There is no run 9.', autoClose: 10_000 }
      ]);
    });
  });

  describe('runs that are not named', () => {
    it('are asked for among those that the operation is legal for', async () => {
      const done = commands.execute(CommandIDs.stopRuns);
      const dialog = await press('Stop', async node => {
        const boxes = node.querySelectorAll<HTMLInputElement>('input');
        await waitFor(() => expect(document.activeElement).toBe(boxes[0]));
        expect(boxes).toHaveLength(2);
        boxes[1].click();
      });
      await done;
      expect(dialog.text).toContain('Which runs of digits are to stop?');
      expect(dialog.text).toContain('Run 1: running (lr=0.1)');
      expect(dialog.text).toContain('Run 2: queued');
      expect(service.operate).toHaveBeenCalledWith('digits', {
        operation: 'stop',
        run_ids: [2]
      });
    });

    it('are checked where there is only one', async () => {
      const done = commands.execute(CommandIDs.resumeRuns);
      await press('Resume');
      await done;
      expect(service.operate).toHaveBeenCalledWith('digits', {
        operation: 'resume',
        run_ids: [3],
        seen: { 3: 'stopped' }
      });
    });

    it('are left alone when the user cancels', async () => {
      const done = commands.execute(CommandIDs.resumeRuns);
      await press('Cancel');
      await done;
      expect(service.operate).not.toHaveBeenCalled();
    });

    it('are named before they are deleted', async () => {
      const done = commands.execute(CommandIDs.deleteRuns);
      await press('Delete…', node => {
        node.querySelectorAll<HTMLInputElement>('input')[2].click();
      });
      await done;
      expect(confirmDelete).toHaveBeenCalledWith(
        'digits',
        [service.runs[2]],
        expect.anything()
      );
    });

    it('are one for a clone', async () => {
      const done = commands.execute(CommandIDs.cloneRun);
      await press('Ok', node => {
        const select = node.querySelector('select') as HTMLSelectElement;
        expect(select.options).toHaveLength(3);
        select.selectedIndex = 1;
      });
      await done;
      expect(jest.mocked(showCloneDialog).mock.calls[0][2]).toBe(
        service.runs[1]
      );
    });

    it('are not asked for where there are none', async () => {
      service.tell({ runs: [fakeRun({ status: 'completed' })] });
      await commands.execute(CommandIDs.resumeRuns);
      expect(shown()).toMatchObject([
        { type: 'info', message: 'No run of digits has stopped or failed.' }
      ]);
    });

    it('are not asked for before there is an experiment', async () => {
      service.tell({ experiment: null, experiments: [], runs: [] });
      await commands.execute(CommandIDs.stopRuns);
      expect(shown()).toMatchObject([
        { type: 'info', message: 'There is no experiment yet.' }
      ]);
    });
  });

  it('stops all runs in one go', async () => {
    await commands.execute(CommandIDs.cancelAll);
    expect(service.operate).toHaveBeenCalledWith('digits', {
      operation: 'cancel'
    });
  });

  it('waits for the runs to be known', async () => {
    service.tell({ isReady: false, connection: 'connecting' });
    const done = commands.execute(CommandIDs.stopRuns, { run_ids: [1] });
    await Promise.resolve();
    expect(service.operate).not.toHaveBeenCalled();
    service.tell({ isReady: true });
    await done;
    expect(service.operate).toHaveBeenCalled();
  });

  it('does not wait for a server that is not there', async () => {
    service.tell({ isReady: false, connection: 'connecting' });
    const done = commands.execute(CommandIDs.stopRuns, { run_ids: [1] });
    service.tell({ connection: 'unavailable', problem: new Error('Down.') });
    await done;
    expect(shown()).toMatchObject([{ type: 'error', message: 'Down.' }]);
    expect(service.watched).toBe(1);
  });

  it('says what is wrong with an experiment', async () => {
    service.tell({ modelProblem: new Error('There is no experiment x.') });
    await commands.execute(CommandIDs.cancelAll, { experiment: 'x' });
    expect(shown()).toMatchObject([{ message: 'There is no experiment x.' }]);
  });

  describe('the state of the engine', () => {
    it.each([
      ['running', 'success', 'is running (version 0.1.0, home /srv/lab).'],
      ['idle', 'info', 'is idle: it has no run to train'],
      ['not running', 'info', 'It starts with the first experiment']
    ])('is shown: %s', async (word, type, message) => {
      const state = word as EngineState;
      service.status.mockResolvedValue({ ...STATUS, state });
      await commands.execute(CommandIDs.showEngine);
      expect(shown()).toEqual([
        { type, autoClose: 6000, message: expect.stringContaining(message) }
      ]);
    });

    it('is shown with how to enable a missing server extension', async () => {
      service.status.mockRejectedValue(new ServerExtensionMissingError('/x'));
      await commands.execute(CommandIDs.showEngine);
      expect(shown()).toEqual([
        {
          type: 'error',
          autoClose: 10_000,
          message: expect.stringContaining(
            'Run "jupyter server extension enable rapidfire_lab"'
          )
        }
      ]);
    });

    it('is shown with what to do after an upgrade', async () => {
      service.status.mockRejectedValue(new ApiLevelError(1, '0.1.0'));
      await commands.execute(CommandIDs.showEngine);
      expect(shown()[0].message).toContain('Restart the Jupyter server');
    });
  });

  it('starts and stops the engine', async () => {
    service.tell({ engine: 'not running' });
    await commands.execute(CommandIDs.startEngine);
    expect(service.startEngine).toHaveBeenCalled();
    service.tell({
      engine: 'idle',
      experiments: [fakeExperiment({ name: 'a' })]
    });
    await commands.execute(CommandIDs.stopEngine);
    expect(service.stopEngine).toHaveBeenCalled();
  });
});
