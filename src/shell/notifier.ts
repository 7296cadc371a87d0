import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';

import { IRun, IRunActions, IRunService, IRunsModel } from '../tokens';
import { notifyDesktop } from './desktop';
import { failing, PASSING, STAYING } from './notify';
import { LabSettings } from './settings';

/** Runs that end within this time of each other share a notice. */
const BATCH_MS = 1500;

/** How a run can end that is worth a notice: who stops one knows. */
type Outcome = 'completed' | 'failed';

export namespace RunNotifier {
  export interface IOptions {
    service: IRunService;
    actions: IRunActions;
    settings: LabSettings;
    trans: TranslationBundle;
  }
}

/**
 * Tells the user of runs that completed or failed, also while the page is hidden.
 */
export class RunNotifier implements IDisposable {
  constructor(private readonly _options: RunNotifier.IOptions) {
    const { service } = _options;
    // The service is only told of runs that are watched.
    this._model = service.watch(null);
    service.runEnded.connect(this._onEnded, this);
  }

  get isDisposed(): boolean {
    return this._model.isDisposed;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    window.clearTimeout(this._timer);
    this._options.service.runEnded.disconnect(this._onEnded, this);
    this._model.dispose();
  }

  private _onEnded(
    _: IRunService,
    { experiment, run }: { experiment: string; run: IRun }
  ): void {
    if (!this._options.settings.values.notifyWhenFinished) {
      return;
    }
    if (run.status !== 'completed' && run.status !== 'failed') {
      return;
    }
    if (!this._ended.length) {
      this._timer = window.setTimeout(() => this._flush(), BATCH_MS);
    }
    this._ended.push({ experiment, outcome: run.status, run });
  }

  private _flush(): void {
    const groups = new Map<string, IEnded[]>();
    for (const ended of this._ended.splice(0)) {
      const key = `${ended.outcome}/${ended.experiment}`;
      groups.set(key, [...(groups.get(key) ?? []), ended]);
    }
    for (const [key, group] of groups) {
      this._tell(key, group);
    }
  }

  private _tell(key: string, group: readonly IEnded[]): void {
    const { actions, settings, trans } = this._options;
    const [{ experiment, outcome }] = group;
    const runs = group.map(({ run }) => run);
    const message = describeEnd(outcome, experiment, runs, trans);
    const open = () => void actions.openDashboard(experiment);
    const isFailure = outcome === 'failed';
    Notification.emit(message, isFailure ? 'error' : 'success', {
      // A notice that passes while nobody looks would be for nothing.
      ...(isFailure ? failing() : document.hidden ? STAYING : PASSING),
      actions: [
        {
          label: trans.__('Show'),
          caption: trans.__('Open the dashboard of %1', experiment),
          callback: open
        }
      ]
    });
    if (document.hidden && settings.values.desktopNotifications) {
      const ids = runs.map(run => run.run_id).join();
      const tag = `rapidfire-lab/${key}/${ids}`;
      notifyDesktop(trans.__('RapidFire Lab'), message, tag, open);
    }
  }

  private readonly _ended: IEnded[] = [];
  private readonly _model: IRunsModel;
  private _timer = 0;
}

interface IEnded {
  experiment: string;
  outcome: Outcome;
  run: IRun;
}

function describeEnd(
  outcome: Outcome,
  experiment: string,
  runs: readonly IRun[],
  trans: TranslationBundle
): string {
  const [{ error, run_id: id }] = runs;
  if (outcome === 'completed') {
    return runs.length === 1
      ? trans.__('Run %1 of %2 completed', id, experiment)
      : trans._n(
          '%1 run of %2 completed',
          '%1 runs of %2 completed',
          runs.length,
          experiment
        );
  }
  if (runs.length > 1) {
    return trans._n(
      '%1 run of %2 failed',
      '%1 runs of %2 failed',
      runs.length,
      experiment
    );
  }
  return error
    ? trans.__('Run %1 of %2 failed: %3', id, experiment, error)
    : trans.__('Run %1 of %2 failed', id, experiment);
}
