import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { IRunActions } from '../../shell/actions';
import {
  IExperiment,
  IPage,
  IRun,
  IRunService,
  IRunsModel,
  ISeriesQuery
} from '../../tokens';
import { DEFAULT_STATE, IDashboardState } from '../dashboardState';
import { IPanelProps } from '../panel';

export const trans = nullTranslator.load('rapidfire_lab');

export function fakeRun(run_id: number, more: Partial<IRun> = {}): IRun {
  return {
    run_id,
    status: 'running',
    wanted: null,
    steps_per_epoch: 10,
    step: 20,
    completed_epochs: 2,
    loss: 0.5,
    metrics: { val_loss: run_id / 10 },
    knobs: { 'train.lr': 10 ** -run_id, 'train.optimizer.name': 'adam' },
    ...more
  } as IRun;
}

export function fakeExperiment(
  name: string,
  more: Partial<IExperiment> = {}
): IExperiment {
  return {
    name,
    status: 'live',
    created: 1,
    ended: null,
    path: `/x/${name}`,
    runs: 2,
    mlflow_url: null,
    ...more
  };
}

/** A model that tests change by hand; `tell` has everybody look again. */
export function fakeModel(more: Partial<IRunsModel> = {}) {
  const model = {
    experiment: 'first',
    isReady: true,
    problem: null,
    runs: [fakeRun(1), fakeRun(2)] as IRun[],
    knobNames: ['train.lr', 'train.optimizer.name'],
    metricNames: ['val_loss'],
    metric: 'val_loss',
    notices: [],
    pending: () => null,
    isDisposed: false,
    dispose: jest.fn(),
    ...more
  };
  const changed = new Signal<object, void>(model);
  const all = { ...model, changed } as unknown as Omit<IRunsModel, 'runs'> & {
    runs: IRun[];
  };
  return { model: all, tell: () => changed.emit() };
}

function emptyPage<T>(): Promise<IPage<T>> {
  return Promise.resolve({ items: [], more_before: false, more_after: false });
}

export function fakeService(
  model: IRunsModel,
  more: Partial<IRunService> = {}
) {
  return {
    changed: new Signal<object, void>({}),
    connection: 'online',
    problem: null,
    engine: 'running',
    experiments: [fakeExperiment('first'), fakeExperiment('second')],
    watch: jest.fn(() => model),
    metrics: jest.fn(async () => [
      { name: 'val_loss', per: 'epoch' },
      { name: 'minibatch_loss', per: 'step' }
    ]),
    series: jest.fn(async (_: string, query: ISeriesQuery) => ({
      ...query,
      series: model.runs.map(run => ({
        run_id: run.run_id,
        x: [10, 20],
        y: [1, run.run_id / 10],
        points: 2
      }))
    })),
    events: jest.fn(emptyPage),
    operations: jest.fn(emptyPage),
    artifacts: jest.fn(async () => []),
    artifactUrl: jest.fn((_, { path }) => `/files/${path}`),
    mlflowUrl: jest.fn(experiment => experiment.mlflow_url),
    ...more
  } as unknown as jest.Mocked<IRunService>;
}

export function fakeActions() {
  return {
    startEngine: jest.fn().mockResolvedValue(undefined)
  } as unknown as jest.Mocked<IRunActions>;
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
