import * as React from 'react';

import { dashOfMetric } from '../charts/palette';
import { LineSample } from './LineSample';

/**
 * The dashes by which a chart tells its metrics apart.
 */
export function MetricKeys(props: { names: readonly string[] }): JSX.Element {
  return (
    <ul className="jp-rf-Chart-keys">
      {props.names.map((name, index) => (
        <li key={name}>
          <LineSample colour="currentcolor" dash={dashOfMetric(index)} /> {name}
        </li>
      ))}
    </ul>
  );
}
