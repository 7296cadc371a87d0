import { Dialog, Notification } from '@jupyterlab/apputils';
import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';

import { showCloneDialog } from '../../clone/CloneDialog';
import { confirmDelete } from '../../clone/confirmDelete';
import { RunActions } from '../actions';
import { press } from './press';
import { fakeRun, SharedService } from './shellFakes';

jest.mock('../../clone/CloneDialog', () => ({ showCloneDialog: jest.fn() }));
jest.mock('../../clone/confirmDelete', () => ({ confirmDelete: jest.fn() }));

const trans = nullTranslator.load('rapidfire_lab');

function refusal(status: number, message: string): Error {
  const response = new Response('', { status });
  return new ServerConnection.ResponseError(response, message);
}

describe('RunActions', () => {
  let service: SharedService;
  let openDashboard: jest.Mock;
  let actions: RunActions;

  beforeEach(() => {
    jest.mocked(confirmDelete).mockReset().mockResolvedValue(true);
    jest.mocked(showCloneDialog).mockReset().mockResolvedValue(null);
    service = new SharedService();
    openDashboard = jest.fn(async () => undefined);
    actions = new RunActions({
      service: service,
      trans,
      openDashboard
    });
  });

  afterEach(() => {
    Notification.dismiss();
    Dialog.flush();
  });

  it('stops runs, quietly', async () => {
    await actions.stop('digits', [fakeRun(), fakeRun({ run_id: 2 })]);
    expect(service.operate).toHaveBeenCalledWith('digits', {
      operation: 'stop',
      run_ids: [1, 2]
    });
    expect(Notification.manager.count).toBe(0);
  });

  it('leaves out the runs that an operation means nothing for', async () => {
    await actions.stop('digits', [
      fakeRun({ status: 'completed' }),
      fakeRun({ run_id: 2 })
    ]);
    expect(service.operate).toHaveBeenCalledWith('digits', {
      operation: 'stop',
      run_ids: [2]
    });
  });

  it('lets the server say why none can be steered', async () => {
    service.operate.mockRejectedValue(refusal(409, 'Run 1 has completed.'));
    await actions.stop('digits', [fakeRun({ status: 'completed' })]);
    expect(Notification.manager.notifications[0]).toMatchObject({
      type: 'error',
      message: 'Run 1 has completed.',
      options: { autoClose: 10_000 }
    });
    expect(service.refresh).toHaveBeenCalled();
  });

  it('asks nothing for no runs', async () => {
    await actions.resume('digits', []);
    expect(service.operate).not.toHaveBeenCalled();
  });

  it('says what the user saw when it resumes', async () => {
    await actions.resume('digits', [fakeRun({ status: 'failed' })]);
    expect(service.operate).toHaveBeenCalledWith('digits', {
      operation: 'resume',
      run_ids: [1],
      seen: { 1: 'failed' }
    });
  });

  it('deletes what the user confirmed, as the user saw it', async () => {
    const run = fakeRun({ status: 'stopped' });
    await actions.delete('digits', [run]);
    expect(confirmDelete).toHaveBeenCalledWith('digits', [run], trans);
    expect(service.operate).toHaveBeenCalledWith('digits', {
      operation: 'delete',
      run_ids: [1],
      seen: { 1: 'stopped' }
    });
  });

  it('deletes nothing that the user did not confirm', async () => {
    jest.mocked(confirmDelete).mockResolvedValue(false);
    await actions.delete('digits', [fakeRun()]);
    expect(service.operate).not.toHaveBeenCalled();
  });

  it('says what became of a clone, and shows it', async () => {
    const run = fakeRun({ run_id: 3 });
    const other = fakeRun({ run_id: 4 });
    service.runs = [run, other];
    jest
      .mocked(showCloneDialog)
      .mockResolvedValue({ operation_ids: [1], run_ids: [7] });
    await actions.clone('digits', run);
    expect(showCloneDialog).toHaveBeenCalledWith(
      service,
      'digits',
      run,
      [other],
      trans
    );
    const [{ message, options }] = Notification.manager.notifications;
    expect(message).toBe('Run 3 cloned as run 7');
    options.actions?.[0].callback(new MouseEvent('click'));
    expect(openDashboard).toHaveBeenCalledWith('digits');
    expect(service.watched).toBe(0);
  });

  it('names all clones', async () => {
    jest
      .mocked(showCloneDialog)
      .mockResolvedValue({ operation_ids: [1, 2], run_ids: [7, 8] });
    await actions.clone('digits', fakeRun({ run_id: 3 }));
    expect(Notification.manager.notifications[0].message).toBe(
      'Run 3 cloned as 2 runs: 7, 8'
    );
  });

  it('says nothing of a clone that the user cancelled', async () => {
    await actions.clone('digits', fakeRun());
    expect(Notification.manager.count).toBe(0);
  });

  it('offers to start an engine that is missing', async () => {
    service.tell({ engine: 'not running' });
    service.operate.mockRejectedValue(
      refusal(503, 'The engine is not running.')
    );
    await actions.resume('digits', [fakeRun({ status: 'stopped' })]);
    const [{ options }] = Notification.manager.notifications;
    expect(options.actions).toMatchObject([{ label: 'Start Engine' }]);
    options.actions?.[0].callback(new MouseEvent('click'));
    expect(service.startEngine).toHaveBeenCalled();
  });

  it('says why the engine does not start', async () => {
    service.startEngine.mockRejectedValue(refusal(503, 'Its home is full.'));
    await actions.startEngine();
    expect(Notification.manager.notifications[0].message).toBe(
      'Its home is full.'
    );
  });

  it('stops an idle engine at once', async () => {
    service.tell({ engine: 'idle' });
    await actions.stopEngine();
    expect(service.stopEngine).toHaveBeenCalled();
  });

  it('asks before it stops an engine that trains', async () => {
    const stopped = actions.stopEngine();
    const dialog = await press('Stop Engine');
    await stopped;
    expect(dialog.text).toContain('The runs go on when it starts again.');
    expect(dialog.buttons).toEqual(['Cancel', 'Stop Engine']);
    expect(dialog.focused).toBe('Cancel');
    expect(service.stopEngine).toHaveBeenCalled();
  });

  it('leaves the engine alone when the user cancels', async () => {
    const stopped = actions.stopEngine();
    await press('Cancel');
    await stopped;
    expect(service.stopEngine).not.toHaveBeenCalled();
  });

  it('says why there is no dashboard', async () => {
    openDashboard.mockRejectedValue(new Error('No such command.'));
    await actions.openDashboard(null);
    expect(Notification.manager.notifications[0].message).toBe(
      'No such command.'
    );
  });
});
