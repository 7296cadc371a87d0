import * as React from 'react';

import { markOf } from '../charts/palette';

interface ISwatchProps {
  runId: number;

  /** Other dashes than the run's own. */
  dash?: readonly number[];
}

/**
 * A run's colour and dashes, as its curve has them.
 */
export function Swatch(props: ISwatchProps): JSX.Element {
  const { colour, dash } = { ...markOf(props.runId), ...props };
  return (
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
        style={{ stroke: colour }}
        strokeDasharray={dash.join(' ') || undefined}
      />
    </svg>
  );
}
