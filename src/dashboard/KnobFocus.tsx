import * as React from 'react';

import { formatValue, knobsText } from '../format';
import { IKnobViewProps } from './knobView';
import { Swatch } from './Swatch';

/**
 * The run that the pointer is on, in words; the best one while it is on none.
 */
export function KnobFocus(props: IKnobViewProps): JSX.Element | null {
  const { trans, rows, knobs, metric, focus } = props;
  const focused = rows.find(row => row.run.run_id === focus);
  const row = focused ?? rows[0];
  if (!row) {
    return null;
  }
  const { run, value } = row;
  return (
    <div className="jp-rf-Knobs-focus">
      <Swatch runId={run.run_id} />
      <strong>
        {focused
          ? trans.__('Run %1', run.run_id)
          : trans.__('Best: run %1', run.run_id)}
      </strong>
      <span>{`${metric} ${formatValue(value)}`}</span>
      <span className="jp-rf-quiet">{knobsText(run, knobs)}</span>
    </div>
  );
}
