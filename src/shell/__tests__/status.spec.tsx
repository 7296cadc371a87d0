import { JupyterFrontEnd } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, screen, waitFor } from '@testing-library/dom';
import { Widget } from '@lumino/widgets';

import { statusPlugin } from '../../plugins/status';
import { CommandIDs } from '../commandIDs';
import { StatusItem } from '../StatusItem';
import { fakeRun, SharedService, sharedService } from './shellFakes';

const trans = nullTranslator.load('rapidfire_lab');

describe('StatusItem', () => {
  let service: SharedService;
  let open: jest.Mock;
  let item: StatusItem;

  beforeEach(() => {
    service = new SharedService();
    service.runs = [
      fakeRun({ progress: 0.2 }),
      fakeRun({ run_id: 2, status: 'queued', progress: 0 }),
      fakeRun({ run_id: 3, status: 'completed', progress: 1 }),
      fakeRun({ run_id: 4, status: 'stopped', progress: 0.1 })
    ];
    open = jest.fn();
    item = new StatusItem({ service: service, trans, open });
    Widget.attach(item, document.body);
  });

  afterEach(() => item.dispose());

  it('says how many runs train, and how far they are', async () => {
    const button = await screen.findByRole('button', {
      name: 'RapidFire Lab: 2 runs are training, 40 % done. Show the runs'
    });
    expect(button.textContent).toBe('2 running · 40 %');
  });

  it('follows the runs', async () => {
    service.tell({ runs: [fakeRun({ progress: 0.5 })] });
    await screen.findByText('1 running · 50 %');
  });

  it.each(['Enter', ' '])('is opened by the key "%s"', async key => {
    const button = await screen.findByRole('button');
    expect(button.tabIndex).toBe(0);
    expect(fireEvent.keyDown(button, { key })).toBe(false);
    expect(open).toHaveBeenCalledTimes(1);
    fireEvent.keyDown(button, { key: 'Tab' });
    expect(open).toHaveBeenCalledTimes(1);
  });

  it('is opened by a click', async () => {
    fireEvent.click(await screen.findByRole('button'));
    expect(open).toHaveBeenCalled();
  });

  it('is active while something trains', () => {
    const changed = jest.fn();
    service.tell({});
    item.activeStateChanged.connect(changed);
    expect(item.isActive).toBe(true);
    service.tell({ connection: 'offline' });
    expect(item.isActive).toBe(false);
    service.tell({ connection: 'online', engine: 'not running' });
    expect(item.isActive).toBe(false);
    expect(changed).toHaveBeenCalledTimes(1);
    service.tell({ engine: 'running' });
    expect(item.isActive).toBe(true);
    service.tell({ runs: [] });
    expect(item.isActive).toBe(false);
  });

  it('watches the runs while it lives', () => {
    expect(service.watched).toBe(1);
    item.dispose();
    item.dispose();
    service.tell({});
    expect(service.watched).toBe(0);
  });
});

describe('the status plugin', () => {
  it('does without a status bar', async () => {
    const service = sharedService();
    await statusPlugin.activate(
      {} as JupyterFrontEnd,
      service,
      null,
      null,
      null
    );
    expect(service.watched).toBe(0);
  });

  it('shows the item while something trains, and opens the sidebar', async () => {
    const service = sharedService();
    const registerStatusItem = jest.fn();
    const execute = jest.fn();
    await statusPlugin.activate(
      { commands: { execute } } as unknown as JupyterFrontEnd,
      service,
      { registerStatusItem } as IStatusBar,
      null,
      null
    );
    const [, options] = registerStatusItem.mock.calls[0];
    const changed = jest.fn();
    options.activeStateChanged.connect(changed);
    expect(options.isActive()).toBe(false);
    service.tell({ runs: [fakeRun()] });
    expect(changed).toHaveBeenCalled();
    expect(options.isActive()).toBe(true);
    Widget.attach(options.item, document.body);
    await waitFor(() => screen.getByRole('button'));
    fireEvent.click(screen.getByRole('button'));
    expect(execute).toHaveBeenCalledWith(CommandIDs.openSidebar);
    options.item.dispose();
  });
});
