import { fireEvent, screen, waitFor } from '@testing-library/react';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { act } from 'react';

import { fakeActions, fakeExperiment } from '../../__tests__/fakeService';
import { IRunService } from '../../tokens';
import { DashboardWidget } from '../Dashboard';
import { IDashboardState } from '../dashboardState';
import { fakeModel, fakeService, trans } from './dashboardFakes';

jest.mock('../../charts/load', () => ({
  loadPlots: () => new Promise(() => {})
}));

let opened: DashboardWidget | null = null;

async function open(
  more: Partial<IRunService> = {},
  options: Partial<ConstructorParameters<typeof DashboardWidget>[0]> = {},
  fake = fakeModel()
) {
  const service = fakeService(fake.model, more);
  const actions = fakeActions();
  const states: IDashboardState[] = [];
  const widget = new DashboardWidget({
    service,
    actions,
    trans,
    experiment: null,
    onStateChange: state => states.push(state),
    ...options
  });
  opened = widget;
  await act(async () => {
    Widget.attach(widget, document.body);
    MessageLoop.flush();
  });
  await act(async () => {});
  return { widget, service, actions, states, ...fake };
}

async function settle(action: () => void) {
  await act(async () => {
    action();
    MessageLoop.flush();
  });
}

describe('the dashboard', () => {
  afterEach(async () => {
    await settle(() => opened?.dispose());
  });

  it('is named after the experiment that it shows', async () => {
    const { widget } = await open();
    expect(widget.title.label).toBe('Runs: first');
    expect(widget.title.closable).toBe(true);
  });

  it('has tabs that arrows move between', async () => {
    const { states } = await open();
    const charts = screen.getByRole('tab', { name: 'Charts' });
    expect(charts.getAttribute('aria-selected')).toBe('true');
    const panel = screen.getByRole('tabpanel', { name: 'Charts' });
    expect(charts.getAttribute('aria-controls')).toBe(panel.id);
    await settle(() => fireEvent.keyDown(charts, { key: 'ArrowLeft' }));
    const files = screen.getByRole('tab', { name: 'Files' });
    expect(document.activeElement).toBe(files);
    expect(files.tabIndex).toBe(0);
    expect(charts.tabIndex).toBe(-1);
    await settle(() => fireEvent.keyDown(files, { key: 'Home' }));
    await settle(() => fireEvent.keyDown(charts, { key: 'ArrowRight' }));
    expect(states.map(state => state.tab)).toEqual(['files', 'charts', 'runs']);
    screen.getByRole('table', { name: 'Runs' });
  });

  it('goes over to another experiment, forgetting what was hidden', async () => {
    const { widget, service, states, model } = await open(
      {},
      { state: { hidden: [1], smoothing: 0.5, metric: 'f1' } }
    );
    expect(service.watch).toHaveBeenLastCalledWith(null);
    const picker = screen.getByLabelText('Experiment');
    await settle(() =>
      fireEvent.change(picker, { target: { value: 'second' } })
    );
    expect(service.watch).toHaveBeenLastCalledWith('second');
    expect(model.dispose).toHaveBeenCalledTimes(1);
    expect(states[0]).toMatchObject({
      experiment: 'second',
      hidden: [],
      metric: null,
      smoothing: 0.5
    });
    expect(widget.experiment).toBe('second');
  });

  it('forgets the same when a newer experiment takes over', async () => {
    const { widget, model, tell, states } = await open(
      {},
      { state: { hidden: [1] } }
    );
    expect(states).toEqual([]);
    await settle(() => {
      Object.assign(model, { experiment: 'second' });
      tell();
    });
    expect(widget.title.label).toBe('Runs: second');
    expect(states[0]).toMatchObject({ experiment: null, hidden: [] });
  });

  it('links to MLflow where runs are tracked', async () => {
    const experiments = [
      fakeExperiment({ name: 'first', mlflow_url: '/mlflow/1' })
    ];
    await open({ experiments });
    const link = screen.getByRole('link', { name: /MLflow/ });
    expect(link.getAttribute('href')).toBe('/mlflow/1');
    expect(link.getAttribute('target')).toBe('_blank');
    expect(link.getAttribute('rel')).toContain('noopener');
  });

  it('has no such link where they are not', async () => {
    await open();
    expect(screen.queryByRole('link', { name: /MLflow/ })).toBeNull();
  });

  it('offers to start an engine that is not running', async () => {
    const { actions } = await open({ engine: 'not running' });
    screen.getByText('Engine not running');
    const start = screen.getByRole('button', { name: 'Start engine' });
    await settle(() => fireEvent.click(start));
    expect(actions.startEngine).toHaveBeenCalled();
  });

  it('says what keeps it from the server', async () => {
    const problem = new Error('The server went for a walk');
    await open({ connection: 'offline', problem });
    screen.getByText('The server went for a walk');
  });

  it('says so once where the run table stands below', async () => {
    const problem = new Error('The server went for a walk');
    await open(
      { connection: 'unavailable', problem },
      { state: { tab: 'runs' } }
    );
    screen.getByRole('table', { name: 'Runs' });
    expect(screen.getAllByText('The server went for a walk').length).toBe(1);
  });

  it.each([
    [{ isReady: false }, 'Loading the runs…'],
    [{ experiment: null, runs: [] }, 'No experiment yet'],
    [{ problem: new Error('No experiment "x"') }, 'No experiment "x"'],
    [{ runs: [] }, 'This experiment has no runs yet']
  ])('says why there is nothing to show: %#', async (more, text) => {
    await open({}, {}, fakeModel(more));
    await waitFor(() => screen.getByText(text));
  });

  it('lets go of the runs when it is closed', async () => {
    const { widget, model } = await open();
    await act(async () => widget.dispose());
    await waitFor(() => expect(model.dispose).toHaveBeenCalled());
  });
});
