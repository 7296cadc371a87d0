import { GroupItem, TextItem } from '@jupyterlab/statusbar';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { ISignal, Signal } from '@lumino/signaling';
import * as React from 'react';

import { formatPercent } from '../format';
import { logoIcon } from '../icons';
import { isActive } from '../runs';
import { IRun, IRunsModel, IRunService } from '../tokens';

export namespace StatusItem {
  export interface IOptions {
    service: IRunService;
    trans: TranslationBundle;

    /** What a click does. */
    open: () => void;
  }
}

/**
 * How many runs of the newest experiment train, and how far they are.
 */
export class StatusItem extends ReactWidget {
  constructor(private readonly _options: StatusItem.IOptions) {
    super();
    this.addClass('jp-mod-highlighted');
    this._model = _options.service.watch(null);
    this._model.changed.connect(this._onChanged, this);
    _options.service.changed.connect(this._onChanged, this);
  }

  /** Whether something trains, as far as is known. */
  get isActive(): boolean {
    const { connection, engine } = this._options.service;
    return (
      connection === 'online' &&
      engine === 'running' &&
      this._model.runs.some(isActive)
    );
  }

  get activeStateChanged(): ISignal<this, void> {
    return this._activeStateChanged;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._options.service.changed.disconnect(this._onChanged, this);
    this._model.dispose();
    super.dispose();
  }

  protected render(): JSX.Element {
    const { trans } = this._options;
    const runs = this._model.runs;
    const active = runs.filter(isActive).length;
    const percent = formatPercent(share(runs));
    return (
      <GroupItem
        spacing={4}
        role="button"
        tabIndex={0}
        aria-label={trans._n(
          'RapidFire Lab: %1 run is training, %2 done. Show the runs',
          'RapidFire Lab: %1 runs are training, %2 done. Show the runs',
          active,
          percent
        )}
        title={trans.__('Show the runs of %1', this._model.experiment ?? '')}
        onClick={this._options.open}
        onKeyDown={this._onKeyDown}
      >
        <logoIcon.react top="2px" stylesheet="statusBar" />
        <TextItem source={trans.__('%1 running · %2', active, percent)} />
      </GroupItem>
    );
  }

  private _onChanged(): void {
    if (this.isActive !== this._wasActive) {
      this._wasActive = this.isActive;
      this._activeStateChanged.emit();
    }
    if (this.isActive) {
      this.update();
    }
  }

  private _onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key === 'Enter' || event.key === ' ') {
      // Space would scroll as well.
      event.preventDefault();
      this._options.open();
    }
  };

  private readonly _activeStateChanged = new Signal<this, void>(this);
  private readonly _model: IRunsModel;
  private _wasActive = false;
}

/**
 * What is done of all that is trained or was trained to its end; completed runs count, so that the
 * share does not fall when one completes.
 */
function share(runs: readonly IRun[]): number {
  const counted = runs.filter(
    run => isActive(run) || run.status === 'completed'
  );
  const done = counted.reduce((sum, run) => sum + run.progress, 0);
  return counted.length ? done / counted.length : 0;
}
