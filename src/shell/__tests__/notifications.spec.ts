import { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { notificationsPlugin } from '../../plugins/notifications';
import { IRunActions } from '../../tokens';
import { CommandIDs } from '../commandIDs';
import { RunNotifier } from '../notifier';
import { LabSettings } from '../settings';
import { fakeRun, SharedService } from './shellFakes';

const trans = nullTranslator.load('rapidfire_lab');

const requestPermission = jest.fn();
const desktop = jest.fn();

/** The browser's class, as far as we use it. */
class FakeNotification {
  static permission: NotificationPermission = 'granted';
  static requestPermission = requestPermission;

  constructor(title: string, options: NotificationOptions) {
    desktop(title, options);
    shownOnDesktop.push(this);
  }

  onclick: (() => void) | null = null;
  close = jest.fn();
}

let shownOnDesktop: FakeNotification[] = [];

function browserWith(
  notification: unknown,
  permission: NotificationPermission = 'granted'
): void {
  FakeNotification.permission = permission;
  Object.defineProperty(window, 'Notification', {
    configurable: true,
    value: notification
  });
}

function hide(isHidden: boolean): void {
  Object.defineProperty(document, 'hidden', {
    configurable: true,
    value: isHidden
  });
}

function shown() {
  return Notification.manager.notifications.map(
    ({ type, message, options }) => [type, message, options.autoClose]
  );
}

let service: SharedService;
let openDashboard: jest.Mock;

beforeEach(() => {
  jest.useFakeTimers();
  desktop.mockReset();
  shownOnDesktop = [];
  requestPermission.mockReset();
  browserWith(FakeNotification);
  hide(false);
  service = new SharedService();
  openDashboard = jest.fn(async () => undefined);
});

afterEach(() => {
  Notification.dismiss();
  jest.useRealTimers();
});

function fakeActions(): IRunActions {
  return { openDashboard } as unknown as IRunActions;
}

describe('RunNotifier', () => {
  let settings: LabSettings;
  let notifier: RunNotifier;

  beforeEach(() => {
    settings = new LabSettings(null);
    notifier = new RunNotifier({
      actions: fakeActions(),
      service: service,
      settings,
      trans
    });
  });

  afterEach(() => notifier.dispose());

  it('tells of a run that completed, and shows it', () => {
    service.end(fakeRun({ run_id: 3, status: 'completed' }));
    jest.runAllTimers();
    expect(shown()).toEqual([['success', 'Run 3 of digits completed', 6000]]);
    const [{ options }] = Notification.manager.notifications;
    options.actions?.[0].callback(new MouseEvent('click'));
    expect(openDashboard).toHaveBeenCalledWith('digits');
  });

  it('tells of a run that failed, and why, and goes to the bell', () => {
    service.end(fakeRun({ status: 'failed', error: 'CUDA out of memory' }));
    jest.runAllTimers();
    expect(shown()).toEqual([
      ['error', 'Run 1 of digits failed: CUDA out of memory', 10_000]
    ]);
  });

  it('tells of a run that failed for no known reason', () => {
    service.end(fakeRun({ status: 'failed' }));
    jest.runAllTimers();
    expect(shown()[0][1]).toBe('Run 1 of digits failed');
  });

  it('makes one notice of many runs', () => {
    service.end(
      ...Array.from({ length: 12 }, (_, i) =>
        fakeRun({ run_id: i + 1, status: 'completed' })
      ),
      fakeRun({ run_id: 13, status: 'failed' }),
      fakeRun({ run_id: 14, status: 'failed' })
    );
    expect(shown()).toEqual([]);
    jest.runAllTimers();
    expect(shown()).toEqual([
      ['error', '2 runs of digits failed', 10_000],
      ['success', '12 runs of digits completed', 6000]
    ]);
  });

  it('tells of those that end later in a notice of their own', () => {
    service.end(fakeRun({ status: 'completed' }));
    jest.runAllTimers();
    service.end(fakeRun({ run_id: 2, status: 'completed' }));
    jest.runAllTimers();
    expect(shown()).toHaveLength(2);
  });

  it('says nothing of what the user stopped', () => {
    service.end(fakeRun({ status: 'stopped', ended_by: 'user' }));
    jest.runAllTimers();
    expect(shown()).toEqual([]);
  });

  it('can be turned off', async () => {
    await settings.set('notifyWhenFinished', false);
    service.end(fakeRun({ status: 'completed' }));
    jest.runAllTimers();
    expect(shown()).toEqual([]);
  });

  it.each(['completed', 'failed'] as const)(
    'keeps a notice of a run that %s for when a hidden page is seen',
    status => {
      hide(true);
      service.end(fakeRun({ status }));
      jest.runAllTimers();
      expect(shown()[0][2]).toBe(false);
      expect(desktop).not.toHaveBeenCalled();
    }
  );

  it('tells on the desktop while the page is hidden, where the user wants it', async () => {
    const focus = jest.spyOn(window, 'focus').mockImplementation();
    await settings.set('desktopNotifications', true);
    hide(true);
    service.end(fakeRun({ status: 'completed' }));
    jest.runAllTimers();
    expect(desktop).toHaveBeenCalledWith('RapidFire Lab', {
      body: 'Run 1 of digits completed',
      tag: 'rapidfire-lab/completed/digits/1'
    });
    shownOnDesktop[0].onclick?.();
    expect(focus).toHaveBeenCalled();
    expect(openDashboard).toHaveBeenCalledWith('digits');
  });

  it.each([
    ['the page is seen', false, 'granted'],
    ['the browser does not allow it', true, 'denied']
  ] as const)('tells nothing on the desktop when %s', async (...args) => {
    const [, isHidden, permission] = args;
    await settings.set('desktopNotifications', true);
    browserWith(FakeNotification, permission);
    hide(isHidden);
    service.end(fakeRun({ status: 'completed' }));
    jest.runAllTimers();
    expect(desktop).not.toHaveBeenCalled();
    expect(shown()).toHaveLength(1);
  });

  it('survives a browser that refuses all the same', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    desktop.mockImplementation(() => {
      throw new TypeError('Illegal constructor.');
    });
    await settings.set('desktopNotifications', true);
    hide(true);
    service.end(fakeRun({ status: 'completed' }));
    jest.runAllTimers();
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
  });

  it('watches the runs while it lives', () => {
    expect(service.watched).toBe(1);
    service.end(fakeRun({ status: 'completed' }));
    notifier.dispose();
    notifier.dispose();
    service.end(fakeRun({ status: 'completed' }));
    jest.runAllTimers();
    expect(service.watched).toBe(0);
    expect(shown()).toEqual([]);
  });
});

describe('the command for desktop notifications', () => {
  let commands: CommandRegistry;

  beforeEach(async () => {
    commands = new CommandRegistry();
    await notificationsPlugin.activate(
      { commands } as unknown as JupyterFrontEnd,
      service,
      fakeActions(),
      null,
      null,
      null
    );
  });

  it('asks the browser, and turns them on', async () => {
    browserWith(FakeNotification, 'default');
    requestPermission.mockImplementation(async () => {
      FakeNotification.permission = 'granted';
      return 'granted';
    });
    await commands.execute(CommandIDs.enableDesktopNotifications);
    expect(shown()[0][0]).toBe('success');
    hide(true);
    service.end(fakeRun({ status: 'completed' }));
    jest.runAllTimers();
    expect(desktop).toHaveBeenCalled();
  });

  it.each([
    ['that blocks them', FakeNotification, 'Allow them in its site settings'],
    ['that has none', undefined, 'has no desktop notifications']
  ])('says what to do about a browser %s', async (_, fake, words) => {
    browserWith(fake, 'denied');
    if (!fake) {
      Reflect.deleteProperty(window, 'Notification');
    }
    await commands.execute(CommandIDs.enableDesktopNotifications);
    expect(shown()).toEqual([
      ['warning', expect.stringContaining(words), false]
    ]);
  });

  it('says that the page has to be secure', async () => {
    browserWith(FakeNotification, 'denied');
    Object.defineProperty(window, 'isSecureContext', {
      configurable: true,
      value: false
    });
    await commands.execute(CommandIDs.enableDesktopNotifications);
    Reflect.deleteProperty(window, 'isSecureContext');
    expect(shown()[0][1]).toContain('HTTPS');
  });

  it('leaves them off when the user closes the question', async () => {
    browserWith(FakeNotification, 'default');
    requestPermission.mockResolvedValue('default');
    await commands.execute(CommandIDs.enableDesktopNotifications);
    expect(shown()).toEqual([]);
  });
});
