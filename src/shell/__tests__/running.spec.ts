import { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IRunningSessions, RunningSessionManagers } from '@jupyterlab/running';

import { runningPlugin } from '../../plugins/running';
import { IRunActions } from '../../tokens';
import { RunningManager } from '../running';
import { fakeRun, SharedService } from './shellFakes';

describe('the running plugin', () => {
  let service: SharedService;
  let actions: jest.Mocked<
    Pick<IRunActions, 'openDashboard' | 'stop' | 'stopEngine'>
  >;
  let manager: IRunningSessions.IManager;

  beforeEach(async () => {
    service = new SharedService();
    service.runs = [
      fakeRun({ run_id: 3 }),
      fakeRun({ run_id: 4, status: 'completed' }),
      fakeRun({ run_id: 5, wanted: 'stopped' })
    ];
    actions = {
      openDashboard: jest.fn(),
      stop: jest.fn(),
      stopEngine: jest.fn()
    };
    const managers = new RunningSessionManagers();
    await runningPlugin.activate(
      {} as JupyterFrontEnd,
      service,
      actions as unknown as IRunActions,
      managers,
      null
    );
    manager = managers.items()[0];
  });

  afterEach(() => {
    Notification.dismiss();
  });

  function items(): IRunningSessions.IRunningItem[] {
    return manager.running({ mode: 'list' });
  }

  it('does without the panel', async () => {
    await runningPlugin.activate(
      {} as JupyterFrontEnd,
      service,
      actions as unknown as IRunActions,
      null,
      null
    );
  });

  it('lists the engine and the runs that train', () => {
    expect(manager.name).toBe('RapidFire Lab');
    expect(items().map(item => [item.label(), item.detail?.()])).toEqual([
      ['Engine', 'training'],
      ['Run 3', '25 %'],
      ['Run 5', '25 %']
    ]);
    expect(items().map(item => item.labelTitle?.())).toEqual([
      'Open the dashboard',
      'Run 3: running (lr=0.1). Open the dashboard of digits',
      'Run 5: stopping (lr=0.1). Open the dashboard of digits'
    ]);
  });

  it('lists an engine that has nothing to train', () => {
    service.tell({ engine: 'idle', experiment: null, runs: [] });
    expect(items().map(item => item.detail?.())).toEqual(['idle']);
  });

  it('lists nothing while no engine is running', () => {
    service.tell({ engine: 'not running' });
    expect(items()).toEqual([]);
  });

  it('opens dashboards', () => {
    const [engine, run] = items();
    engine.open?.();
    expect(actions.openDashboard).toHaveBeenLastCalledWith(null);
    run.open?.();
    expect(actions.openDashboard).toHaveBeenLastCalledWith('digits');
  });

  it('stops a run, and the engine, which asks', () => {
    const [engine, run] = items();
    const label = manager.shutdownLabel as (item: unknown) => string;
    expect(label(engine)).toBe('Stop the engine');
    expect(label(run)).toBe('Stop run 3');
    run.shutdown?.();
    expect(actions.stop).toHaveBeenCalledWith('digits', [service.runs[0]]);
    engine.shutdown?.();
    expect(actions.stopEngine).toHaveBeenCalled();
  });

  it('stops the engine after the question of the panel', async () => {
    expect(manager.shutdownAllConfirmationText).toContain(
      'They go on when it starts again.'
    );
    service.stopEngine.mockRejectedValue(new Error('It does not answer.'));
    manager.shutdownAll();
    await new Promise(resolve => setTimeout(resolve));
    expect(Notification.manager.notifications[0].message).toBe(
      'It does not answer.'
    );
    expect(actions.stopEngine).not.toHaveBeenCalled();
  });

  it('follows the runs and the engine while it lives', () => {
    const changed = jest.fn();
    manager.runningChanged.connect(changed);
    service.model.changed.emit();
    expect(changed).toHaveBeenCalledTimes(1);
    service.changed.emit();
    expect(changed).toHaveBeenCalledTimes(2);
    manager.refreshRunning();
    expect(service.refresh).toHaveBeenCalled();
    (manager as RunningManager).dispose();
    service.tell({});
    expect(changed).toHaveBeenCalledTimes(2);
    expect(service.watched).toBe(0);
  });
});
