import * as React from 'react';

interface ILineSampleProps {
  colour: string;
  dash: readonly number[];
}

/**
 * A piece of a line, as a chart draws it.
 */
export function LineSample({ colour, dash }: ILineSampleProps): JSX.Element {
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
