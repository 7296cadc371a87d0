import { nullTranslator } from '@jupyterlab/translation';

import { fakeDetail, fakeRun, FakeService } from '../../__tests__/fakeService';
import { EngineState, IOperationRequest, IRun, IRunConfig } from '../../tokens';

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
  return fakeRun({ run_id: 3, epochs: 5, step: 120, knobs: {}, ...changes });
}

/**
 * A service whose engine takes every clone, and which remembers what it was asked.
 */
export class CloneService extends FakeService {
  config = CONFIG;

  /** How the parent differs from `makeRun`'s. */
  parent: Partial<IRun> = {};

  readonly run = jest.fn(async (name: string, runId: number) =>
    fakeDetail(makeRun({ run_id: runId, ...this.parent }), {
      experiment: 'digits',
      config: this.config
    })
  );
  readonly checkClone = jest.fn(
    async (name: string, request: IOperationRequest) => ({
      clones: [{ parent: 3, config: this.config, changed: [] }]
    })
  );
  readonly operate = jest.fn(
    async (name: string, request: IOperationRequest) => ({
      operation_ids: [1],
      run_ids: [4]
    })
  );
  readonly startEngine = jest.fn(async () => this.setEngine('idle'));

  setEngine(engine: EngineState): void {
    this.update({ engine });
  }
}
