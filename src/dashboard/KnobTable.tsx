import * as React from 'react';

import { formatValue } from '../format';
import { IKnobViewProps } from './knobView';
import { Swatch } from './Swatch';

/**
 * The knobs and the metric of all runs as a table, best run first.
 */
export function KnobTable(props: IKnobViewProps): JSX.Element {
  const { trans, rows, knobs, labels, metric } = props;
  return (
    <table
      className="jp-rf-Grid"
      aria-label={trans.__('Knobs against %1', metric)}
    >
      <thead>
        <tr>
          <th scope="col">{trans.__('Run')}</th>
          {knobs.map(name => (
            <th scope="col" key={name} title={name}>
              {labels.get(name)}
            </th>
          ))}
          <th scope="col" className="jp-rf-number">
            {metric}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ run, value }) => (
          <tr key={run.run_id}>
            <th scope="row">
              <Swatch runId={run.run_id} /> {run.run_id}
            </th>
            {knobs.map(name => (
              <td key={name}>{formatValue(run.knobs[name])}</td>
            ))}
            <td className="jp-rf-number">{formatValue(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
