import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Swatch } from './Swatch';

interface IRunLegendItemProps {
  trans: TranslationBundle;
  runId: number;
  knobs: string;
  value: string;
  shown: boolean;

  /** Whether the Tab key stops here; the arrow keys lead to the others. */
  isStop: boolean;
  onToggle(runId: number): void;
  onSolo(runId: number): void;
  onFocus(runId: number | null): void;

  /** The focus of the keyboard has come here. */
  onStop(runId: number): void;
}

/**
 * A run of the legend: a click hides or shows it, Alt and a click, or "Only", leaves it alone.
 */
export function RunLegendItem(props: IRunLegendItemProps): JSX.Element {
  const { trans, runId, knobs, value, shown, onToggle, onSolo, onFocus } =
    props;
  const tabIndex = props.isStop ? 0 : -1;
  return (
    <li
      className="jp-rf-Legend-item"
      data-shown={shown}
      data-rf-run={runId}
      onMouseEnter={() => onFocus(runId)}
      onMouseLeave={() => onFocus(null)}
      onFocus={() => {
        onFocus(runId);
        props.onStop(runId);
      }}
      onBlur={() => onFocus(null)}
    >
      <button
        type="button"
        className="jp-rf-Legend-run"
        tabIndex={tabIndex}
        aria-pressed={shown}
        aria-label={trans.__('Show run %1', runId)}
        title={trans.__('Click to hide or show, Alt+click to show it alone')}
        onClick={event => (event.altKey ? onSolo(runId) : onToggle(runId))}
      >
        <Swatch runId={runId} />
        <span className="jp-rf-Legend-id">{runId}</span>
        <span className="jp-rf-Legend-knobs" title={knobs}>
          {knobs}
        </span>
        <span className="jp-rf-Legend-value">{value}</span>
      </button>
      <button
        type="button"
        className="jp-rf-Link jp-rf-Legend-only"
        tabIndex={tabIndex}
        aria-label={trans.__('Show run %1 alone', runId)}
        onClick={() => onSolo(runId)}
      >
        {trans.__('Only')}
      </button>
    </li>
  );
}
