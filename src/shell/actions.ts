import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { ServerConnection } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import { isLegal } from '../runs';
import {
  IOperationRequest,
  IRun,
  IRunActions,
  IRunService,
  OperationName,
  RunStatus
} from '../tokens';
import { attempt, PASSING } from './notify';
import { readRuns } from './snapshot';

/**
 * The actions of a page, on top of its run service.
 */
export class RunActions implements IRunActions {
  constructor(private readonly _options: RunActions.IOptions) {}

  stop(experiment: string, runs: readonly IRun[]): Promise<void> {
    return this._attempt(() => this._operate('stop', experiment, runs));
  }

  resume(experiment: string, runs: readonly IRun[]): Promise<void> {
    return this._attempt(() => this._operate('resume', experiment, runs));
  }

  delete(experiment: string, runs: readonly IRun[]): Promise<void> {
    return this._attempt(async () => {
      // Dialogs are loaded when they are first needed: the page starts without them.
      const { confirmDelete } = await import('../clone/confirmDelete');
      if (await confirmDelete(experiment, [...runs], this._options.trans)) {
        await this._operate('delete', experiment, runs);
      }
    });
  }

  clone(experiment: string, run: IRun): Promise<void> {
    const { service, trans } = this._options;
    return this._attempt(async () => {
      const { showCloneDialog } = await import('../clone/CloneDialog');
      const { runs } = await readRuns(service, experiment);
      const answer = await showCloneDialog(
        service,
        experiment,
        run,
        runs.filter(other => other.run_id !== run.run_id),
        trans
      );
      if (answer) {
        this._announceClones(experiment, run, answer.run_ids);
      }
    });
  }

  /** Stop all runs that are queued or running, those included that the page does not know yet. */
  stopAll(experiment: string): Promise<void> {
    return this._attempt(() =>
      this._options.service.operate(experiment, { operation: 'cancel' })
    );
  }

  startEngine(): Promise<void> {
    return this._attempt(() => this._options.service.startEngine());
  }

  stopEngine(): Promise<void> {
    const { service, trans } = this._options;
    return this._attempt(async () => {
      if (service.engine !== 'running' || (await confirmStop(trans))) {
        await service.stopEngine();
      }
    });
  }

  openDashboard(experiment: string | null): Promise<void> {
    return this._attempt(() => this._options.openDashboard(experiment));
  }

  private async _operate(
    operation: OperationName,
    experiment: string,
    runs: readonly IRun[]
  ): Promise<void> {
    const legal = runs.filter(run => isLegal(operation, run));
    // Where none is legal the server says why.
    const asked = legal.length ? legal : runs;
    if (!asked.length) {
      return;
    }
    const request: IOperationRequest = {
      operation,
      run_ids: asked.map(run => run.run_id)
    };
    // To stop a run is harmless whatever became of it; these two are not.
    if (operation === 'delete' || operation === 'resume') {
      request.seen = statuses(asked);
    }
    await this._options.service.operate(experiment, request);
  }

  private _announceClones(
    experiment: string,
    run: IRun,
    clones: readonly number[]
  ): void {
    const { trans } = this._options;
    Notification.success(
      trans._n(
        'Run %2 cloned as run %3',
        'Run %2 cloned as %1 runs: %3',
        clones.length,
        run.run_id,
        clones.join(', ')
      ),
      {
        ...PASSING,
        actions: [
          {
            label: trans.__('Show'),
            caption: trans.__('Open the dashboard of %1', experiment),
            callback: () => void this.openDashboard(experiment)
          }
        ]
      }
    );
  }

  private _attempt(task: () => Promise<unknown>): Promise<void> {
    const { service, trans } = this._options;
    return attempt(
      () => task().catch(error => refreshAndThrow(error, service)),
      service,
      trans
    );
  }
}

export namespace RunActions {
  export interface IOptions {
    service: IRunService;
    trans: TranslationBundle;
    openDashboard: (experiment: string | null) => Promise<unknown>;
  }
}

function statuses(runs: readonly IRun[]): { [runId: string]: RunStatus } {
  return Object.fromEntries(runs.map(run => [run.run_id, run.status]));
}

async function confirmStop(trans: TranslationBundle): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Stop the engine?'),
    body: trans.__(
      'Runs are training. What they have learnt is saved. The runs go on when it starts again.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Stop Engine') })
    ],
    defaultButton: 0
  });
  return button.accept;
}

/**
 * What the server refused, the user saw in a state that is no more.
 */
function refreshAndThrow(error: unknown, service: IRunService): never {
  if (
    error instanceof ServerConnection.ResponseError &&
    [404, 409, 412].includes(error.response.status)
  ) {
    service.refresh().catch(() => undefined);
  }
  throw error;
}
