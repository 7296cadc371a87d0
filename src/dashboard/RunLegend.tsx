import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { latest } from '../charts/metrics';
import { formatValue, knobsText } from '../format';
import { IRunsModel } from '../tokens';
import { RunLegendItem } from './RunLegendItem';

interface IRunLegendProps {
  model: IRunsModel;
  trans: TranslationBundle;
  hidden: ReadonlySet<number>;
  onToggle(runId: number): void;

  /** Show this run alone; all again if it is alone. */
  onSolo(runId: number): void;
  onShowAll(): void;

  /** The pointer or the keyboard is on a run; null when it left. */
  onFocus(runId: number | null): void;
}

/**
 * The runs of all charts: what each looks like, its knobs and its newest value.
 */
export function RunLegend(props: IRunLegendProps): JSX.Element {
  const { model, trans, hidden } = props;
  const { runs, knobNames, metric } = model;
  const shown = runs.filter(run => !hidden.has(run.run_id)).length;
  return (
    <section
      className="jp-rf-Legend"
      aria-label={trans.__('Runs in the charts')}
    >
      <div className="jp-rf-Legend-head">
        <span>
          {shown === runs.length
            ? trans._n('%1 run', '%1 runs', runs.length)
            : trans.__('%1 of %2 runs', shown, runs.length)}
        </span>
        {shown < runs.length ? (
          <button
            type="button"
            className="jp-rf-Link"
            onClick={props.onShowAll}
          >
            {trans.__('Show all')}
          </button>
        ) : (
          metric !== null && <span className="jp-rf-quiet">{metric}</span>
        )}
      </div>
      <ul className="jp-rf-Legend-list">
        {runs.map(run => (
          <RunLegendItem
            key={run.run_id}
            trans={trans}
            runId={run.run_id}
            knobs={knobsText(run, knobNames)}
            value={formatValue(latest(run, metric))}
            shown={!hidden.has(run.run_id)}
            onToggle={props.onToggle}
            onSolo={props.onSolo}
            onFocus={props.onFocus}
          />
        ))}
      </ul>
    </section>
  );
}
