import { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { ServerConnection } from '@jupyterlab/services';
import { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from '../commands';
import { enginePlugin } from '../plugins/engine';
import { serverAnswering, serverWith } from './server';

const STATUS = {
  version: '0.1.0',
  api_level: 1,
  state: 'running',
  home: '/srv/lab'
};

/**
 * Activate the plugin in an application that talks to the server of `settings`.
 */
async function activate(
  settings: ServerConnection.ISettings,
  palette: ICommandPalette | null = null
) {
  const commands = new CommandRegistry();
  const app = { commands, serviceManager: { serverSettings: settings } };
  const engine = await enginePlugin.activate(
    app as unknown as JupyterFrontEnd,
    palette,
    null
  );
  return { commands, engine };
}

/**
 * Run the command against the server of `settings` and return the notifications it leaves.
 */
async function showEngine(settings: ServerConnection.ISettings) {
  const { commands } = await activate(settings);
  await commands.execute(CommandIDs.showEngine);
  return Notification.manager.notifications.map(
    ({ type, message, options }) => ({
      type,
      message,
      autoClose: options.autoClose
    })
  );
}

describe('the engine plugin', () => {
  afterEach(() => {
    Notification.dismiss();
  });

  it('gives other plugins the status of the engine', async () => {
    const { engine } = await activate(serverAnswering(STATUS).settings);
    await expect(engine.status()).resolves.toEqual(STATUS);
  });

  it('describes its command', async () => {
    const { commands } = await activate(serverAnswering(STATUS).settings);
    expect(commands.label(CommandIDs.showEngine)).toBe(
      'RapidFire Lab: Show Engine Status'
    );
    const description = await commands.describedBy(CommandIDs.showEngine);
    expect(description.args).toEqual({ type: 'object', properties: {} });
  });

  it('lists its command in the palette where there is one', async () => {
    const addItem = jest.fn();
    const palette = { addItem } as unknown as ICommandPalette;
    await activate(serverAnswering(STATUS).settings, palette);
    expect(addItem).toHaveBeenCalledWith({
      command: CommandIDs.showEngine,
      category: 'RapidFire Lab'
    });
  });

  it('says that the engine is running', async () => {
    expect(await showEngine(serverAnswering(STATUS).settings)).toEqual([
      {
        type: 'success',
        autoClose: 6000,
        message:
          'The RapidFire Lab engine is running (version 0.1.0, home /srv/lab).'
      }
    ]);
  });

  it('says that the engine is idle', async () => {
    const { settings } = serverAnswering({ ...STATUS, state: 'idle' });
    expect(await showEngine(settings)).toEqual([
      {
        type: 'info',
        autoClose: 6000,
        message:
          'The RapidFire Lab engine is idle: it has no run to train (version 0.1.0, home /srv/lab).'
      }
    ]);
  });

  it('says that the engine is not running, and when it will', async () => {
    const { settings } = serverAnswering({ ...STATUS, state: 'not running' });
    expect(await showEngine(settings)).toEqual([
      {
        type: 'info',
        autoClose: 6000,
        message:
          'The RapidFire Lab engine is not running. It starts with the first experiment (version 0.1.0, home /srv/lab).'
      }
    ]);
  });

  it('says how to enable a missing server extension', async () => {
    const { settings } = serverAnswering('<html></html>', { status: 404 });
    const [{ type, message }] = await showEngine(settings);
    expect(type).toBe('error');
    expect(message).toContain(
      'Run "jupyter server extension enable rapidfire_lab"'
    );
  });

  it('says what to do after an upgrade', async () => {
    const { settings } = serverAnswering({ ...STATUS, api_level: 2 });
    const [{ type, message }] = await showEngine(settings);
    expect(type).toBe('error');
    expect(message).toContain('Restart the Jupyter server');
  });

  it('says that the server cannot be reached', async () => {
    const settings = serverWith(() =>
      Promise.reject(new TypeError('Failed to fetch'))
    );
    expect(await showEngine(settings)).toEqual([
      {
        type: 'error',
        autoClose: false,
        message: 'The Jupyter server cannot be reached.'
      }
    ]);
  });

  it("shows the server's own words for any other error", async () => {
    const { settings } = serverAnswering(
      { message: 'The journal is of a newer release.' },
      { status: 503 }
    );
    expect(await showEngine(settings)).toEqual([
      {
        type: 'error',
        autoClose: false,
        message: 'The journal is of a newer release.'
      }
    ]);
  });
});
