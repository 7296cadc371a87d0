import { nullTranslator } from '@jupyterlab/translation';

import {
  fakeActions,
  fakeExperiment,
  fakeRun as anyRun,
  FakeRuns,
  FakeService
} from '../../__tests__/fakeService';
import { IRun, IRunService, IRunsModel } from '../../tokens';
import { IDashboardState } from '../dashboardState';
import { IPanelProps } from '../panel';

export const trans = nullTranslator.load('rapidfire_lab');

/** What nobody has touched yet. */
export const DEFAULT_STATE: IDashboardState = {
  experiment: null,
  tab: 'charts',
  axis: 'step',
  log: false,
  smoothing: 0,
  hidden: [],
  charts: null,
  metric: null,
  knobView: 'parallel',
  knob: null,
  table: null
};

/** Runs whose metrics and knobs tell their ids. */
export function fakeRun(run_id: number, more: Partial<IRun> = {}): IRun {
  return anyRun({
    run_id,
    steps_per_epoch: 10,
    step: 20,
    metrics: { val_loss: run_id / 10 },
    knobs: { 'train.lr': 10 ** -run_id, 'train.optimizer.name': 'adam' },
    ...more
  });
}

/** A model that tests change by hand; `tell` has everybody look again. */
export function fakeModel(more: Partial<IRunsModel> = {}) {
  const made = new FakeRuns({
    experiment: 'first',
    runs: [fakeRun(1), fakeRun(2)],
    knobNames: ['train.lr', 'train.optimizer.name'],
    metricNames: ['val_loss'],
    ...more
  } as Partial<FakeRuns>);
  const model = Object.assign(made as Omit<FakeRuns, 'runs'>, {
    runs: [...made.runs],
    dispose: jest.fn()
  });
  return { model, tell: () => made.changed.emit() };
}

export function fakeService(
  model: IRunsModel,
  more: Partial<IRunService> = {}
): FakeService {
  const service = new FakeService({
    experiments: [
      fakeExperiment({ name: 'first' }),
      fakeExperiment({ name: 'second' })
    ],
    ...(more as Partial<FakeService>)
  });
  service.watch.mockReturnValue(model);
  service.metrics.mockResolvedValue([
    { name: 'val_loss', per: 'epoch' },
    { name: 'minibatch_loss', per: 'step' }
  ]);
  service.series.mockImplementation(async (_, query) => ({
    metric: query.metric,
    per: query.per,
    x: query.x,
    series: model.runs.map(run => ({
      run_id: run.run_id,
      x: [10, 20],
      y: [1, run.run_id / 10],
      points: 2
    }))
  }));
  return service;
}

export function panelProps(
  service: IRunService,
  model: IRunsModel,
  state: Partial<IDashboardState> = {}
): IPanelProps & { setState: jest.Mock } {
  return {
    service,
    model,
    actions: fakeActions(),
    trans,
    state: { ...DEFAULT_STATE, ...state },
    setState: jest.fn(),
    experiment: 'first'
  };
}
