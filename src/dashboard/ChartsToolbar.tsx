import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { ChosenAxis } from '../charts/types';
import { IMetric } from '../tokens';
import { IDashboardState } from './dashboardState';
import { MetricPicker } from './MetricPicker';

interface IChartsToolbarProps {
  trans: TranslationBundle;
  state: IDashboardState;
  setState(change: Partial<IDashboardState>): void;
  metrics: readonly IMetric[];

  /** Names of the metrics that have a chart. */
  chosen: readonly string[];
  paused: boolean;
  onPause(paused: boolean): void;
}

/**
 * What holds for all charts: axis, scale, smoothing, which metrics, and whether they move.
 */
export function ChartsToolbar(props: IChartsToolbarProps): JSX.Element {
  const { trans, state, setState, metrics, chosen, paused, onPause } = props;
  const id = React.useId();
  return (
    <div
      className="jp-rf-Bar"
      role="group"
      aria-label={trans.__('Chart options')}
    >
      <span className="jp-rf-Bar-item">
        <label htmlFor={`${id}-axis`}>{trans.__('Axis')}</label>
        <HTMLSelect
          id={`${id}-axis`}
          value={state.axis}
          onChange={event =>
            setState({ axis: event.currentTarget.value as ChosenAxis })
          }
        >
          <option value="step">{trans.__('Minibatches')}</option>
          <option value="epoch">{trans.__('Epochs')}</option>
          <option value="time">{trans.__('Wall clock')}</option>
        </HTMLSelect>
      </span>
      <label
        className="jp-rf-Bar-item"
        title={trans.__('Accuracies and the like keep a linear scale')}
      >
        <input
          type="checkbox"
          checked={state.log}
          onChange={event => setState({ log: event.currentTarget.checked })}
        />
        {trans.__('Log scale')}
      </label>
      <span className="jp-rf-Bar-item">
        <label htmlFor={`${id}-smoothing`}>{trans.__('Smoothing')}</label>
        <input
          id={`${id}-smoothing`}
          className="jp-rf-Bar-range"
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={state.smoothing}
          onChange={event =>
            setState({ smoothing: Number(event.currentTarget.value) })
          }
        />
        <output htmlFor={`${id}-smoothing`}>
          {state.smoothing.toFixed(2)}
        </output>
      </span>
      <MetricPicker
        trans={trans}
        metrics={metrics}
        chosen={chosen}
        onChoose={charts => setState({ charts })}
      />
      <button
        type="button"
        className="jp-rf-Dashboard-button"
        aria-pressed={paused}
        title={trans.__('Keep the charts as they are; training goes on')}
        onClick={() => onPause(!paused)}
      >
        {paused ? trans.__('Paused') : trans.__('Pause')}
      </button>
    </div>
  );
}
