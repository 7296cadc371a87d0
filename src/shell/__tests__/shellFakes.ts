import { Signal } from '@lumino/signaling';

import {
  fakeExperiment,
  fakeRun as anyRun,
  FakeRuns,
  FakeService
} from '../../__tests__/fakeService';
import { IRun, IRunService, IRunsModel } from '../../tokens';

/** A run that nobody has measured yet. */
export function fakeRun(changes: Partial<IRun> = {}): IRun {
  return anyRun({
    knobs: { 'train.optimizer.args.lr': 0.1 },
    metrics: {},
    trend: [],
    ...changes
  });
}

type Told = Partial<
  Pick<IRunService, 'connection' | 'engine' | 'experiments' | 'problem'> &
    Pick<IRunsModel, 'experiment' | 'isReady' | 'runs'> & {
      modelProblem: unknown;
    }
>;

/**
 * A service of one experiment that hands out handles as the real one does, and counts them.
 */
export class SharedService extends FakeService {
  constructor() {
    super({
      experiments: [fakeExperiment({ name: 'digits' })],
      model: new FakeRuns({ experiment: 'digits' })
    });
    this.watch.mockImplementation(asked => this._handle(asked));
  }

  /** How many handles are not disposed. */
  watched = 0;

  get runs(): readonly IRun[] {
    return this.model.runs;
  }

  set runs(runs: readonly IRun[]) {
    Object.assign(this.model, { runs });
  }

  /** Take new values over and tell of them. */
  tell({ experiment, isReady, modelProblem, runs, ...own }: Told): void {
    const told = { experiment, isReady, problem: modelProblem, runs };
    const given = Object.entries(told).filter(
      ([, value]) => value !== undefined
    );
    Object.assign(this.model, Object.fromEntries(given));
    this.update(own);
    this.model.changed.emit();
  }

  end(...runs: IRun[]): void {
    for (const run of runs) {
      this.runEnded.emit({ experiment: this.model.experiment ?? '', run });
    }
  }

  private _handle(asked: string | null): FakeRuns {
    const { model } = this;
    const handle: FakeRuns = Object.create(model);
    const changed = new Signal<IRunsModel, void>(handle);
    const forward = () => changed.emit();
    const dispose = () => {
      Object.defineProperty(handle, 'isDisposed', { value: true });
      this.watched -= 1;
      model.changed.disconnect(forward);
    };
    this.watched += 1;
    model.changed.connect(forward);
    return Object.defineProperties(handle, {
      changed: { value: changed },
      dispose: { value: dispose },
      experiment: { get: () => asked ?? model.experiment }
    });
  }
}

/** A service that the test does not look at again. */
export function sharedService(): SharedService {
  return new SharedService();
}
