import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import { IRunActions, IRunService } from '../tokens';
import { IDashboardState, restoreState } from './dashboardState';
import { DashboardView } from './DashboardView';

interface IDashboardOptions {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;

  /** Whose runs to show first; null follows the newest experiment. */
  experiment: string | null;

  /** A `DashboardWidget.state` that was kept, of whatever release. */
  state?: ReadonlyPartialJSONObject;

  /** Called with each new state, plain JSON, to be kept with the layout. */
  onStateChange?: (state: IDashboardState) => void;
}

/** Run ids, metrics and knobs mean nothing in another experiment. */
const FRESH = { hidden: [], charts: null, metric: null, knob: null };

/**
 * The dashboard of an experiment, for the main area.
 */
export class DashboardWidget extends ReactWidget {
  constructor(private options: IDashboardOptions) {
    super();
    this._state = {
      ...restoreState(options.state ?? {}),
      experiment: options.experiment
    };
    this.addClass('jp-rf-Dashboard');
    this.title.closable = true;
    this._setTitle(options.experiment);
  }

  /** What the user chose so far. */
  get state(): IDashboardState {
    return this._state;
  }

  /** The chosen experiment; null follows the newest. */
  get experiment(): string | null {
    return this._state.experiment;
  }

  set experiment(name: string | null) {
    this._change({ experiment: name });
  }

  protected render(): JSX.Element {
    const { service, actions, trans } = this.options;
    return (
      <DashboardView
        service={service}
        actions={actions}
        trans={trans}
        state={this._state}
        setState={this._change}
        onExperiment={this._onShown}
      />
    );
  }

  private _change = (change: Partial<IDashboardState>): void => {
    const isOther =
      change.experiment !== undefined &&
      change.experiment !== this._state.experiment;
    const fresh = isOther ? FRESH : {};
    this._state = { ...this._state, ...fresh, ...change };
    this.options.onStateChange?.(this._state);
    this.update();
  };

  private _onShown = (name: string | null): void => {
    const isNewer = this._shown !== null && name !== this._shown;
    if (isNewer && this._state.experiment === null && name !== null) {
      this._change(FRESH);
    }
    this._shown = name ?? this._shown;
    this._setTitle(name);
  };

  private _setTitle(name: string | null): void {
    const { trans } = this.options;
    this.title.label =
      name === null ? trans.__('Runs') : trans.__('Runs: %1', name);
    this.title.caption =
      name === null
        ? trans.__('Runs of the newest experiment')
        : trans.__('Runs of the experiment %1', name);
  }

  private _state: IDashboardState;

  /** The last experiment that was seen, chosen or followed. */
  private _shown: string | null = null;
}
