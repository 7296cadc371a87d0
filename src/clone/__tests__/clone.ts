import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import {
  EngineState,
  IOperationRequest,
  IRun,
  IRunConfig,
  IRunDetail,
  IRunService
} from '../../tokens';

export const trans = nullTranslator.load('rapidfire_lab');

export const CONFIG: IRunConfig = {
  train: {
    epochs: 5,
    batch_size: 32,
    optimizer: { name: 'AdamW', args: { lr: 0.001, betas: [0.9, 0.999] } },
    lr_scheduler: {
      name: 'StepLR',
      args: { step_size: 2 },
      interval: 'epoch'
    },
    gradient_accumulation_steps: 1,
    gradient_clip_norm: null,
    precision: 'fp32'
  },
  user_knobs: {
    width: 16,
    dropout: 0,
    augment: true,
    activation: 'relu',
    layers: [1, 2],
    seed: null,
    api_key: '***',
    head: { size: 4, deep: { bias: false } },
    service: { url: 'here', token: '***' }
  },
  named_metrics: ['top1_accuracy'],
  fsdp_layer_cls: []
};

export function makeRun(changes: Partial<IRun> = {}): IRun {
  return {
    run_id: 3,
    status: 'running',
    wanted: null,
    ended_by: null,
    source: 'initial',
    parent: null,
    warm_start: false,
    epochs: 5,
    completed_epochs: 1,
    steps_per_epoch: 100,
    step: 120,
    total_steps: 500,
    progress: 0.24,
    epoch_progress: 0.2,
    seconds: 10,
    seconds_left: 30,
    created: 0,
    started: 1,
    ended: null,
    slot: 0,
    device: 'cpu',
    error: null,
    loss: 0.5,
    metrics: {},
    trend: [],
    knobs: {},
    ...changes
  };
}

function makeDetail(run: IRun, config: IRunConfig): IRunDetail {
  return {
    ...run,
    experiment: 'digits',
    config,
    traceback: null,
    parent_step: null,
    carried: null,
    clones: [],
    seed: 0,
    num_chunks: null,
    mlflow_run_id: null
  };
}

/**
 * A service whose engine takes every clone, and which remembers what it was asked.
 */
export class FakeService {
  engine: EngineState = 'running';
  readonly changed = new Signal<FakeService, void>(this);
  config = CONFIG;

  run = jest.fn(async () => makeDetail(makeRun(), this.config));
  checkClone = jest.fn(async (name: string, request: IOperationRequest) => ({
    clones: [{ parent: 3, config: this.config, changed: [] }]
  }));
  operate = jest.fn(async (name: string, request: IOperationRequest) => ({
    operation_ids: [1],
    run_ids: [4]
  }));
  startEngine = jest.fn(async () => {
    this.setEngine('idle');
  });

  setEngine(engine: EngineState): void {
    this.engine = engine;
    this.changed.emit();
  }

  get service(): IRunService {
    return this as unknown as IRunService;
  }
}
