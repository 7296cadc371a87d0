import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { latest } from '../charts/metrics';
import { formatValue, knobsText, tellingKnobs } from '../format';
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
  // There is room for few: those that tell most runs apart come first.
  const telling = React.useMemo(
    () => tellingKnobs(runs, knobNames),
    [runs, knobNames]
  );
  const list = React.useRef<HTMLUListElement>(null);
  const [current, setCurrent] = React.useState<number | null>(null);
  // One stop of the Tab key for all runs; the arrow keys go on from there.
  const stop =
    runs.find(run => run.run_id === current)?.run_id ?? runs[0]?.run_id;
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
            onClick={() => {
              // The button goes with what it did; those who use the keyboard go on at their run.
              runButton(list.current, stop)?.focus();
              props.onShowAll();
            }}
          >
            {trans.__('Show all')}
          </button>
        ) : (
          metric !== null && <span className="jp-rf-quiet">{metric}</span>
        )}
      </div>
      <ul
        ref={list}
        className="jp-rf-Legend-list"
        onKeyDown={event => {
          const ids = runs.map(run => run.run_id);
          const next = neighbour(event.key, ids, stop);
          const button = next === null ? null : runButton(list.current, next);
          if (button && !event.altKey && !event.ctrlKey && !event.metaKey) {
            event.preventDefault();
            button.focus();
          }
        }}
      >
        {runs.map(run => (
          <RunLegendItem
            key={run.run_id}
            trans={trans}
            runId={run.run_id}
            knobs={knobsText(run, telling)}
            value={formatValue(latest(run, metric))}
            shown={!hidden.has(run.run_id)}
            isStop={run.run_id === stop}
            onToggle={props.onToggle}
            onSolo={runId => {
              setCurrent(runId);
              runButton(list.current, runId)?.focus();
              props.onSolo(runId);
            }}
            onFocus={props.onFocus}
            onStop={setCurrent}
          />
        ))}
      </ul>
    </section>
  );
}

/** The run that a key leads to from another; null where the key leads nowhere. */
function neighbour(
  key: string,
  ids: readonly number[],
  from: number
): number | null {
  const at = ids.indexOf(from);
  switch (key) {
    case 'ArrowUp':
      return ids[at - 1] ?? null;
    case 'ArrowDown':
      return ids[at + 1] ?? null;
    case 'Home':
      return ids[0] ?? null;
    case 'End':
      return ids[ids.length - 1] ?? null;
    default:
      return null;
  }
}

function runButton(
  list: HTMLElement | null,
  runId: number
): HTMLElement | null {
  return (
    list?.querySelector<HTMLElement>(
      `[data-rf-run="${runId}"] .jp-rf-Legend-run`
    ) ?? null
  );
}
