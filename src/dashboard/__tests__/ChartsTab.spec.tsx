import { act, fireEvent, render, screen, within } from '@testing-library/react';
import * as React from 'react';

import { loadPlots } from '../../charts/load';
import { IPlot, IPlotListener, IPlotOptions } from '../../charts/types';
import { fakeRace } from '../../__tests__/fakeService';
import { IDefinedPlot } from '../../tokens';
import { ChartsTab } from '../ChartsTab';
import { IDashboardState } from '../dashboardState';
import { fakeModel, fakeRun, fakeService, panelProps } from './dashboardFakes';

jest.mock('../../charts/load', () => ({ loadPlots: jest.fn() }));

// jsdom lays nothing out: elements have a width of their own here.
jest.mock('../useWidth', () => ({ useWidth: () => 500 }));
jest.mock('../useVisible', () => ({ useVisible: () => true }));

const plot: jest.Mocked<IPlot> = {
  update: jest.fn(),
  setHidden: jest.fn(),
  setFocus: jest.fn(),
  setSize: jest.fn(),
  recolour: jest.fn(),
  resetZoom: jest.fn(),
  dispose: jest.fn()
};
const createPlot = jest.fn();

function listener(): IPlotListener {
  const options: IPlotOptions = createPlot.mock.calls[0][2];
  return options;
}

/** Let time pass. React renders at the end of each stretch, and what it starts runs in the next. */
async function pass(milliseconds: number) {
  for (let i = 0; i < 5; i += 1) {
    await act(() => jest.advanceTimersByTimeAsync(milliseconds / 5));
  }
}

async function open(state: Partial<IDashboardState> = {}, fake = fakeModel()) {
  const service = fakeService(fake.model);
  const props = panelProps(service, fake.model, {
    charts: ['val_loss'],
    ...state
  });
  const view = render(<ChartsTab {...props} />);
  const show = (change: Partial<IDashboardState>) =>
    view.rerender(
      <ChartsTab {...props} state={{ ...props.state, ...change }} />
    );
  await pass(100);
  return { ...props, ...fake, service, show, unmount: view.unmount };
}

/** Trials, and a plot that they have defined; of run 3 another class. */
async function openTrials(plot: Partial<IDefinedPlot> = {}) {
  const trials = [1, 2, 3].map(id =>
    fakeRun(id, { total_steps: 1, steps_per_epoch: 1, step: 0 })
  );
  const fake = fakeModel({ runs: trials });
  const service = fakeService(fake.model);
  service.metrics.mockResolvedValue(
    ['loss', 'val', 'epoch'].map(name => ({ name, per: 'step' }))
  );
  const defined = { title: 'Losses', metrics: ['loss', 'val', 'other'] };
  service.plots.mockResolvedValue([
    { ...defined, x_axis: 'epoch', run_ids: [1, 2], ...plot }
  ]);
  const props = panelProps(service, fake.model, { charts: [] });
  const view = render(<ChartsTab {...props} />);
  await pass(100);
  const show = () => view.rerender(<ChartsTab {...props} />);
  return { ...fake, service, show };
}

describe('the plots that trials define', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    jest.clearAllMocks();
    createPlot.mockReturnValue(plot);
    (loadPlots as jest.Mock).mockResolvedValue({ createPlot });
  });
  afterEach(() => jest.useRealTimers());

  it('have a line per trial and metric, by the metric of their axis', async () => {
    const { service } = await openTrials();
    const card = screen.getByRole('region', { name: 'Chart of Losses' });
    within(card).getByRole('heading', { name: 'Losses' });
    within(card).getByRole('img', {
      name: 'Line chart of loss, val of 2 runs. Axis: epoch.'
    });
    const keys = within(card).getAllByRole('listitem');
    expect(keys.map(key => key.textContent?.trim())).toEqual(['loss', 'val']);
    const [, data, options] = createPlot.mock.calls[0];
    expect(data).toMatchObject({
      runIds: [1, 2, 1, 2],
      metrics: ['loss', 'loss', 'val', 'val'],
      fit: null
    });
    expect(options.axis).toBe('metric');
    expect(service.series.mock.calls.map(([, query]) => query)).toEqual(
      ['loss', 'val'].map(metric => ({
        metric,
        per: 'step',
        x: 'step',
        by: 'epoch',
        max_points: 1000
      }))
    );
    const values = [
      { runId: 1, metric: 'loss', value: 0.9 },
      { runId: 1, metric: 'val', value: 0.3 }
    ];
    const place = { left: 10, top: 10, nearest: 1 };
    act(() => listener().onReading({ x: 3, values, ...place }));
    const rows = screen.getByText('epoch 3').parentElement!;
    expect(rows.textContent).toBe('epoch 3Run 1val0.3Run 1loss0.9');
  });

  it('go by the time of the run where they have no axis', async () => {
    const { service } = await openTrials({ x_axis: null, metrics: ['loss'] });
    screen.getByText('Time since the run began');
    expect(service.series.mock.lastCall?.[1]).toMatchObject({ x: 'run_time' });
    expect(createPlot.mock.calls[0][1].metrics).toBeNull();
    const values = [{ runId: 1, metric: null, value: 1 }];
    const place = { left: 10, top: 10, nearest: 1 };
    act(() => listener().onReading({ x: 75, values, ...place }));
    screen.getByText('1:15 after the run began');
  });

  it('are there as tables too, one a metric', async () => {
    await openTrials();
    fireEvent.click(screen.getByRole('button', { name: 'Show as table' }));
    for (const name of ['loss', 'val']) {
      const table = screen.getByRole('table', { name });
      const rows = within(table).getAllByRole('rowheader');
      expect(rows.map(row => row.textContent?.trim())).toEqual(['1', '2']);
    }
    expect(screen.queryByRole('listitem', { name: 'loss' })).toBeNull();
  });

  it('say that they have no points of what was never logged', async () => {
    const { service } = await openTrials({ x_axis: 'other' });
    screen.getByText('No points yet');
    expect(service.series).not.toHaveBeenCalled();
  });

  it('go on with a trial that has no steps before its end', async () => {
    const { service, model, show } = await openTrials();
    const [series, plots] = [service.series, service.plots].map(
      method => method.mock.calls.length
    );
    model.runs = [...model.runs];
    show();
    await pass(6000);
    expect(service.series.mock.calls.length).toBeGreaterThan(series);
    expect(service.plots.mock.calls.length).toBeGreaterThan(plots);
  });

  it('stay while the server is away, and are not looked for elsewhere', async () => {
    const { service, model, show } = await openTrials();
    service.plots.mockRejectedValueOnce(new Error('away'));
    model.runs = [...model.runs];
    show();
    await pass(6000);
    screen.getByRole('region', { name: 'Chart of Losses' });
    service.plots.mockClear();
    model.runs = [fakeRun(1)];
    show();
    await pass(6000);
    expect(service.plots).not.toHaveBeenCalled();
    expect(screen.queryByRole('region', { name: /Losses/ })).toBeNull();
  });
});

describe('the charts', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    jest.clearAllMocks();
    createPlot.mockReturnValue(plot);
    (loadPlots as jest.Mock).mockResolvedValue({ createPlot });
  });
  afterEach(() => jest.useRealTimers());

  it('draw all runs of each chosen metric, and say so in words', async () => {
    await open();
    expect(createPlot).toHaveBeenCalledTimes(1);
    const [, data, options] = createPlot.mock.calls[0];
    expect(data).toMatchObject({ runIds: [1, 2], x: [10, 20] });
    expect(options).toMatchObject({ axis: 'step', log: false });
    screen.getByRole('img', {
      name: 'Line chart of val_loss of 2 runs. Axis: Minibatch. Best now: run 1 with 0.1.'
    });
  });

  it('show the most wanted metrics until others are chosen', async () => {
    const { setState } = await open({ charts: null });
    expect(createPlot).toHaveBeenCalledTimes(2);
    const group = screen.getByRole('group', { name: 'Metrics with a chart' });
    fireEvent.click(within(group).getByRole('checkbox', { name: /^val_loss/ }));
    expect(setState).toHaveBeenCalledWith({ charts: ['minibatch_loss'] });
  });

  it('show a race as intervals, and as a table', async () => {
    await open(
      {},
      fakeModel({
        races: [fakeRace(), fakeRace({ search: 'new', intervals: [] })]
      })
    );
    const card = screen.getByRole('region', {
      name: 'Chart of the race racing'
    });
    expect(screen.queryByRole('region', { name: /race new/ })).toBeNull();
    within(card).getByRole('heading', {
      name: 'Race racing: chunk_loss less that of run 2'
    });
    const picture = within(card).getByRole('img', {
      name: 'Intervals of chunk_loss of 2 runs, less that of run 2, at a confidence of 0.95. 1 is credibly worse.'
    });
    const titles = picture.querySelectorAll('title');
    expect(titles[0].textContent).toMatch(
      /^Run 1. Mean difference .* credibly worse.$/
    );
    within(card).getByText('Worse to the right; filled: credibly worse');
    fireEvent.click(
      within(card).getByRole('button', { name: 'Show as table' })
    );
    const rows = within(card).getAllByRole('row');
    expect(rows.map(row => row.textContent)).toEqual([
      'RunDifferenceFromToPlacesCredibly worse',
      ' 10.10.020.1830yes',
      ' 30.5––1no'
    ]);
  });

  it('tell why a race shows nothing', async () => {
    const race = fakeRace({ mode: 'max' });
    const { show } = await open({}, fakeModel({ races: [race] }));
    screen.getByText('Worse to the left; filled: credibly worse');
    expect(screen.queryByText(/is hidden/)).toBeNull();
    show({ hidden: [2] });
    screen.getByText('Run 2 is hidden, or all others are');
  });

  it('ask for the axis, and for points to the pixel', async () => {
    const { service, show } = await open({ axis: 'epoch' });
    expect(service.series).toHaveBeenLastCalledWith('first', {
      metric: 'val_loss',
      per: 'epoch',
      x: 'step',
      max_points: 1000
    });
    expect(createPlot.mock.calls[0][1].x).toEqual([1, 2]);
    show({ axis: 'time' });
    await pass(100);
    expect(service.series.mock.lastCall?.[1].x).toBe('time');
    expect(plot.dispose).toHaveBeenCalled();
  });

  it('fetch again when runs have moved, but not all the time', async () => {
    const { service, model, show } = await open();
    expect(service.series).toHaveBeenCalledTimes(1);
    for (let step = 21; step < 31; step += 1) {
      model.runs = [fakeRun(1, { step }), fakeRun(2)];
      show({});
      await pass(100);
    }
    expect(service.series).toHaveBeenCalledTimes(1);
    await pass(1500);
    expect(service.series).toHaveBeenCalledTimes(2);
    await pass(5000);
    expect(service.series).toHaveBeenCalledTimes(2);
  });

  it('rest while they are paused', async () => {
    const { service, model, show } = await open();
    fireEvent.click(screen.getByRole('button', { name: 'Pause' }));
    model.runs = [fakeRun(1, { step: 30 }), fakeRun(2)];
    show({});
    await pass(3000);
    expect(service.series).toHaveBeenCalledTimes(1);
    fireEvent.click(screen.getByRole('button', { name: 'Paused' }));
    await pass(100);
    expect(service.series).toHaveBeenCalledTimes(2);
  });

  it('keep what they have when the server is away', async () => {
    const { service, model, show } = await open();
    service.series.mockRejectedValueOnce(new Error('away'));
    model.runs = [fakeRun(1, { step: 30 }), fakeRun(2)];
    show({});
    await pass(2000);
    screen.getByText('Not up to date: away');
    screen.getByRole('img');
    model.runs = [fakeRun(1, { step: 40 }), fakeRun(2)];
    show({});
    await pass(2000);
    expect(screen.queryByText('Not up to date: away')).toBeNull();
  });

  it('hide a run, or all others, from the legend', async () => {
    const { setState } = await open();
    const run = screen.getByRole('button', { name: 'Show run 2' });
    expect(run.getAttribute('aria-pressed')).toBe('true');
    fireEvent.click(run);
    expect(setState).toHaveBeenLastCalledWith({ hidden: [2] });
    fireEvent.click(run, { altKey: true });
    expect(setState).toHaveBeenLastCalledWith({ hidden: [1] });
    fireEvent.click(screen.getByRole('button', { name: 'Show run 1 alone' }));
    expect(setState).toHaveBeenLastCalledWith({ hidden: [2] });
  });

  it('leave hidden runs out, and bring them back', async () => {
    const { setState } = await open({ hidden: [1] });
    expect(plot.setHidden).toHaveBeenLastCalledWith(new Set([1]));
    screen.getByRole('img', { name: /1 run\..*run 2 with 0.2/ });
    fireEvent.click(screen.getByRole('button', { name: 'Show all' }));
    expect(setState).toHaveBeenCalledWith({ hidden: [] });
  });

  it('have one stop of the Tab key for all runs; arrow keys lead on', async () => {
    await open();
    const [first, second] = [1, 2].map(id =>
      screen.getByRole('button', { name: `Show run ${id}` })
    );
    expect([first.tabIndex, second.tabIndex]).toEqual([0, -1]);
    act(() => first.focus());
    fireEvent.keyDown(first, { key: 'ArrowDown' });
    expect(document.activeElement).toBe(second);
    expect([first.tabIndex, second.tabIndex]).toEqual([-1, 0]);
    fireEvent.keyDown(second, { key: 'ArrowDown' });
    expect(document.activeElement).toBe(second);
    fireEvent.keyDown(second, { key: 'Home' });
    expect(document.activeElement).toBe(first);
  });

  it('keep the focus in the legend, at the run that was left alone', async () => {
    const { show } = await open();
    const only = screen.getByRole('button', { name: 'Show run 2 alone' });
    only.focus();
    fireEvent.click(only);
    const run = screen.getByRole('button', { name: 'Show run 2' });
    expect(document.activeElement).toBe(run);
    show({ hidden: [1] });
    const all = screen.getByRole('button', { name: 'Show all' });
    act(() => all.focus());
    fireEvent.click(all);
    show({ hidden: [] });
    expect(document.activeElement).toBe(run);
  });

  it('bring a run to the front while the pointer is on it', async () => {
    await open();
    const run = screen.getByRole('button', { name: 'Show run 2' });
    fireEvent.mouseEnter(run.parentElement!);
    expect(plot.setFocus).toHaveBeenLastCalledWith(2);
    fireEvent.mouseLeave(run.parentElement!);
    expect(plot.setFocus).toHaveBeenLastCalledWith(null);
  });

  it('read the values at the cursor, best first', async () => {
    await open();
    const values = [
      { runId: 1, metric: null, value: 0.9 },
      { runId: 2, metric: null, value: 0.3 }
    ];
    const place = { left: 10, top: 10, nearest: 1 };
    act(() => listener().onReading({ x: 20, values, ...place }));
    const rows = screen.getByText('Minibatch 20').parentElement!;
    expect(rows.textContent).toBe('Minibatch 20Run 20.3Run 10.9');
    act(() => listener().onReading(null));
    expect(screen.queryByText('Minibatch 20')).toBeNull();
  });

  it('can be zoomed out again', async () => {
    await open();
    act(() => listener().onZoom(true));
    fireEvent.click(screen.getByRole('button', { name: 'Reset zoom' }));
    expect(plot.resetZoom).toHaveBeenCalled();
  });

  it('are there as tables too', async () => {
    await open();
    fireEvent.click(screen.getByRole('button', { name: 'Show as table' }));
    const table = screen.getByRole('table', { name: 'val_loss' });
    const rows = within(table).getAllByRole('row');
    expect(rows.map(row => row.textContent?.trim())).toEqual([
      'RunKnobsLastMinMax',
      '1lr 0.1, optimizer adam0.10.11',
      '2lr 0.01, optimizer adam0.20.21'
    ]);
    expect(plot.dispose).toHaveBeenCalled();
  });

  it('follow the theme of the page', async () => {
    await open();
    plot.recolour.mockClear();
    document.body.dataset.jpThemeLight = 'false';
    await pass(10);
    expect(plot.recolour).toHaveBeenCalled();
  });

  it('count what a log scale cannot show', async () => {
    const fake = fakeModel();
    const service = fakeService(fake.model);
    service.series.mockResolvedValue({
      metric: 'val_loss',
      per: 'epoch',
      x: 'step',
      series: [{ run_id: 1, x: [1, 2], y: [0, 1], points: 2 }]
    });
    const state = { charts: ['val_loss'], log: true };
    render(<ChartsTab {...panelProps(service, fake.model, state)} />);
    await pass(100);
    screen.getByText('1 value of zero or less has no place on a log scale.');
  });

  it('leave a run that diverged off the scale, and bring it back', async () => {
    const fake = fakeModel();
    const service = fakeService(fake.model);
    service.series.mockResolvedValue({
      metric: 'val_loss',
      per: 'epoch',
      x: 'step',
      series: [
        { run_id: 1, x: [1, 2], y: [2, 1], points: 2 },
        { run_id: 2, x: [1, 2], y: [2, 1e21], points: 2 }
      ]
    });
    const state = { charts: ['val_loss'] };
    render(<ChartsTab {...panelProps(service, fake.model, state)} />);
    await pass(100);
    screen.getByText('1 run goes off the scale.');
    fireEvent.click(screen.getByRole('button', { name: 'Show all values' }));
    await pass(100);
    expect(plot.update.mock.lastCall?.[0].fit).toBeNull();
    expect(screen.queryByText('1 run goes off the scale.')).toBeNull();
    screen.getByRole('button', { name: 'Fit the scale to most runs' });
  });

  it('say that they have no points yet', async () => {
    const fake = fakeModel({ runs: [fakeRun(1, { step: 0 })] });
    const service = fakeService(fake.model);
    service.series.mockResolvedValue({
      metric: 'val_loss',
      per: 'epoch',
      x: 'step',
      series: []
    });
    const state = { charts: ['val_loss'] };
    render(<ChartsTab {...panelProps(service, fake.model, state)} />);
    await pass(100);
    screen.getByText('No points yet');
    expect(createPlot).not.toHaveBeenCalled();
  });

  it('say when what draws them cannot be loaded', async () => {
    (loadPlots as jest.Mock).mockRejectedValue(new Error('no chunk'));
    await open();
    screen.getByText('The charts could not be loaded. Reload the page.');
  });

  it('are taken down with their tab', async () => {
    const { unmount, service, model, tell } = await open();
    unmount();
    expect(plot.dispose).toHaveBeenCalled();
    model.runs = [fakeRun(1, { step: 50 })];
    tell();
    await pass(3000);
    expect(service.series).toHaveBeenCalledTimes(1);
  });
});
