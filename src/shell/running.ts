import { IRunningSessions } from '@jupyterlab/running';
import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon, stopIcon } from '@jupyterlab/ui-components';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { formatPercent } from '../format';
import { logoIcon } from '../icons';
import { isActive } from '../runs';
import {
  EngineState,
  IRun,
  IRunActions,
  IRunService,
  IRunsModel
} from '../tokens';
import { attempt } from './notify';
import { describeRun } from './pick';

/**
 * The engine and the runs that it trains, for the panel of all that is running.
 */
export class RunningManager implements IRunningSessions.IManager, IDisposable {
  constructor(
    private readonly _service: IRunService,
    private readonly _actions: IRunActions,
    private readonly _trans: TranslationBundle
  ) {
    this.name = _trans.__('RapidFire Lab');
    this.shutdownAllLabel = _trans.__('Stop Engine');
    this.shutdownAllConfirmationText = _trans.__(
      'Stop the engine? What the runs have learnt is saved. They go on when it starts again.'
    );
    this._model = _service.watch(null);
    this._model.changed.connect(this._onChanged, this);
    _service.changed.connect(this._onChanged, this);
  }

  readonly name: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;
  readonly shutdownItemIcon = stopIcon;

  get runningChanged(): ISignal<this, void> {
    return this._runningChanged;
  }

  shutdownLabel = (item: IRunningSessions.IRunningItem): string =>
    item instanceof RunItem
      ? this._trans.__('Stop run %1', item.run.run_id)
      : this._trans.__('Stop the engine');

  running(): IRunningSessions.IRunningItem[] {
    const { engine } = this._service;
    if (engine === 'not running') {
      return [];
    }
    const { experiment, runs } = this._model;
    const engineItem = new EngineItem(engine, this._actions, this._trans);
    return experiment === null
      ? [engineItem]
      : [
          engineItem,
          ...runs
            .filter(isActive)
            .map(
              run =>
                new RunItem(run, experiment, engine, this._actions, this._trans)
            )
        ];
  }

  /** The panel has asked before. */
  shutdownAll(): void {
    void attempt(() => this._service.stopEngine(), this._service, this._trans);
  }

  refreshRunning(): void {
    void this._service.refresh();
  }

  get isDisposed(): boolean {
    return this._model.isDisposed;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._service.changed.disconnect(this._onChanged, this);
    this._model.dispose();
    Signal.clearData(this);
  }

  private _onChanged(): void {
    this._runningChanged.emit();
  }

  private readonly _model: IRunsModel;
  private readonly _runningChanged = new Signal<this, void>(this);
}

class EngineItem implements IRunningSessions.IRunningItem {
  constructor(
    private readonly _engine: EngineState,
    private readonly _actions: IRunActions,
    private readonly _trans: TranslationBundle
  ) {}

  readonly context = 'rapidfire-lab:engine';

  open = (): void => void this._actions.openDashboard(null);
  shutdown = (): void => void this._actions.stopEngine();
  icon = (): LabIcon => logoIcon;
  label = (): string => this._trans.__('Engine');
  labelTitle = (): string => this._trans.__('Open the dashboard');
  detail = (): string =>
    this._engine === 'idle'
      ? this._trans.__('idle')
      : this._trans.__('training');
}

class RunItem implements IRunningSessions.IRunningItem {
  constructor(
    readonly run: IRun,
    private readonly _experiment: string,
    private readonly _engine: EngineState,
    private readonly _actions: IRunActions,
    private readonly _trans: TranslationBundle
  ) {}

  readonly context = 'rapidfire-lab:run';

  open = (): void => void this._actions.openDashboard(this._experiment);
  shutdown = (): void => void this._actions.stop(this._experiment, [this.run]);
  icon = (): LabIcon => logoIcon;
  // The panel is narrow: what a cell has no room for is in the title.
  label = (): string => this._trans.__('Run %1', this.run.run_id);
  labelTitle = (): string =>
    this._trans.__(
      '%1. Open the dashboard of %2',
      describeRun(this.run, this._engine, this._trans),
      this._experiment
    );
  detail = (): string => formatPercent(this.run.progress);
}
