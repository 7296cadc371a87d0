import * as React from 'react';

import { IScale } from '../charts/scale';

/** Longer labels would run into the next axis. */
const MOST_LETTERS = 16;

interface IKnobAxisProps {
  x: number;
  top: number;
  bottom: number;
  label: string;
  scale: IScale;

  /** The last axis: its labels stand at its right. */
  isMetric: boolean;
}

/**
 * An upright axis with its name and ticks.
 */
export function KnobAxis(props: IKnobAxisProps): JSX.Element {
  const { x, top, bottom, label, scale, isMetric } = props;
  const side = isMetric ? 1 : -1;
  return (
    <g className="jp-rf-Axis" data-metric={isMetric} aria-hidden="true">
      <text className="jp-rf-Axis-name" x={x} y={top - 22} textAnchor="middle">
        {shortened(label)}
        <title>{label}</title>
      </text>
      <line x1={x} x2={x} y1={top - 8} y2={bottom + 8} />
      {scale.ticks.map(tick => {
        const y = bottom - tick.at * (bottom - top);
        return (
          <g key={tick.label}>
            <line x1={x} x2={x + 5 * side} y1={y} y2={y} />
            <text
              x={x + 8 * side}
              y={y}
              dominantBaseline="central"
              textAnchor={isMetric ? 'start' : 'end'}
            >
              {shortened(tick.label)}
              <title>{tick.label}</title>
            </text>
          </g>
        );
      })}
    </g>
  );
}

function shortened(text: string): string {
  return text.length > MOST_LETTERS
    ? `${text.slice(0, MOST_LETTERS - 1)}…`
    : text;
}
