import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatX } from '../charts/axis';
import { lowerIsBetter } from '../charts/best';
import { AxisKind, IReading } from '../charts/types';
import { formatValue } from '../format';
import { Swatch } from './Swatch';

/** Rows that fit next to the cursor. */
const MOST_ROWS = 10;

interface IReadoutProps {
  trans: TranslationBundle;
  reading: IReading;
  axis: AxisKind;

  /** The metric of an axis that goes by one. */
  by: string | null;
  metric: string;

  /** Of the plot, to stay within it. */
  width: number;
}

/**
 * The values at the cursor, best first. For the eye only: the table has them for all.
 */
export function Readout(props: IReadoutProps): JSX.Element | null {
  const { trans, reading, axis, by, metric, width } = props;
  const { values, nearest, x, left } = reading;
  if (!values.length) {
    return null;
  }
  const sign = lowerIsBetter(metric) ? 1 : -1;
  const sorted = [...values].sort((a, b) => sign * (a.value - b.value));
  const shown = sorted.filter(
    (entry, i) => i < MOST_ROWS || entry.runId === nearest
  );
  const rest = sorted.length - shown.length;
  const isRight = left > width / 2;
  const place = isRight ? { right: width - left + 14 } : { left: left + 14 };
  return (
    <div className="jp-rf-Readout" style={place} aria-hidden="true">
      <div className="jp-rf-Readout-x">{xText(axis, by, x, trans)}</div>
      <table>
        <tbody>
          {shown.map(({ runId, metric: name, value }) => (
            <tr key={`${runId} ${name}`} data-nearest={runId === nearest}>
              <td>
                <Swatch runId={runId} {...(name !== null && { dash: [] })} />
              </td>
              <td>{trans.__('Run %1', runId)}</td>
              {name !== null && <td>{name}</td>}
              <td className="jp-rf-number">{formatValue(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rest > 0 && (
        <div className="jp-rf-quiet">
          {trans._n('and %1 more', 'and %1 more', rest)}
        </div>
      )}
    </div>
  );
}

function xText(
  axis: AxisKind,
  by: string | null,
  x: number,
  trans: TranslationBundle
): string {
  const value = formatX(axis, x);
  switch (axis) {
    case 'step':
      return trans.__('Minibatch %1', value);
    case 'epoch':
      return trans.__('Epoch %1', value);
    case 'time':
      return trans.__('%1 after the start', value);
    case 'run_time':
      return trans.__('%1 after the run began', value);
    case 'metric':
      return `${by} ${value}`;
  }
}
