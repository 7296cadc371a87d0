import * as React from 'react';

import { dashOfMetric } from '../charts/palette';

/**
 * The dashes by which a chart tells its metrics apart.
 */
export function MetricKeys(props: { names: readonly string[] }): JSX.Element {
  return (
    <ul className="jp-rf-Chart-keys">
      {props.names.map((name, index) => (
        <li key={name}>
          <svg
            className="jp-rf-Swatch"
            viewBox="0 0 22 8"
            width="22"
            height="8"
            aria-hidden="true"
          >
            <line
              className="jp-rf-Swatch-line"
              x1="1"
              y1="4"
              x2="21"
              y2="4"
              stroke="currentcolor"
              strokeDasharray={dashOfMetric(index).join(' ') || undefined}
            />
          </svg>{' '}
          {name}
        </li>
      ))}
    </ul>
  );
}
