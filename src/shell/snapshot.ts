import { PromiseDelegate } from '@lumino/coreutils';

import { IRun, IRunsModel, IRunService } from '../tokens';

/** The runs of an experiment at one moment. */
export interface ISnapshot {
  /** null when there is no experiment at all. */
  experiment: string | null;
  runs: readonly IRun[];
}

/**
 * Do something with the runs of an experiment, as soon as the server has told of them.
 *
 * Rejects with what keeps the page from knowing them.
 *
 * @param experiment - Its name; null for the newest.
 */
async function withRuns<T>(
  service: IRunService,
  experiment: string | null,
  task: (model: IRunsModel) => T | Promise<T>
): Promise<T> {
  const model = service.watch(experiment);
  try {
    await untilReady(service, model);
    return await task(model);
  } finally {
    model.dispose();
  }
}

/**
 * The runs of an experiment as the server last told; of the newest for null.
 */
export function readRuns(
  service: IRunService,
  experiment: string | null
): Promise<ISnapshot> {
  return withRuns(service, experiment, model => ({
    experiment: model.experiment,
    runs: model.runs
  }));
}

async function untilReady(
  service: IRunService,
  model: IRunsModel
): Promise<void> {
  const waiter = new Waiter(service, model);
  model.changed.connect(waiter.check, waiter);
  // A server that is not there leaves the model as it is.
  service.changed.connect(waiter.check, waiter);
  waiter.check();
  try {
    await waiter.done.promise;
  } finally {
    model.changed.disconnect(waiter.check, waiter);
    service.changed.disconnect(waiter.check, waiter);
  }
}

class Waiter {
  constructor(
    private readonly _service: IRunService,
    private readonly _model: IRunsModel
  ) {}

  readonly done = new PromiseDelegate<void>();

  check(): void {
    const { connection, problem } = this._service;
    if (this._model.problem) {
      this.done.reject(this._model.problem);
    } else if (this._model.isReady) {
      this.done.resolve();
    } else if (connection === 'offline' || connection === 'unavailable') {
      this.done.reject(problem);
    }
  }
}
