import * as React from 'react';

import {
  goodnessColour,
  IKnobAxis,
  IKnobRow,
  knobAxis,
  metricAxis
} from '../charts/knobRows';
import { KnobAxis } from './KnobAxis';
import { KnobFocus } from './KnobFocus';
import { IKnobViewProps, knobViewText } from './knobView';
import { useWidth } from './useWidth';

const HEIGHT = 360;
const TOP = 44;
const BOTTOM = 20;
const LEFT = 64;
const RIGHT = 56;

/** Axes that stand closer than this scroll. */
const LEAST_GAP = 110;

/**
 * A line per run across one axis per knob, to the metric at the right: good runs stand out.
 */
export function ParallelCoordinates(props: IKnobViewProps): JSX.Element {
  const { rows, knobs, labels, metric, focus, onFocus } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const axes = [
    ...knobs.map(name => knobAxis(name, rows)),
    metricAxis(metric, rows)
  ];
  const least = LEFT + RIGHT + LEAST_GAP * (axes.length - 1);
  const width = Math.max(useWidth(host), least);
  const gap = (width - LEFT - RIGHT) / (axes.length - 1);
  const xOf = (index: number) => LEFT + index * gap;
  // The last one drawn lies on top: the best, and above all the one in focus.
  const order = [...rows].reverse();
  const focused = rows.find(row => row.run.run_id === focus) ?? null;
  return (
    <>
      <div className="jp-rf-Knobs-plot" ref={host}>
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={knobViewText(props)}
          data-focus={focused !== null}
          onMouseLeave={() => onFocus(null)}
        >
          {order.map(row => (
            <path
              key={row.run.run_id}
              className="jp-rf-Knobs-line"
              style={{ stroke: goodnessColour(row.goodness) }}
              d={linePath(row, axes, xOf)}
            />
          ))}
          {focused && (
            <path
              className="jp-rf-Knobs-line jp-rf-mod-focus"
              style={{ stroke: goodnessColour(focused.goodness) }}
              d={linePath(focused, axes, xOf)}
            />
          )}
          {axes.map((axis, index) => (
            <KnobAxis
              key={axis.name}
              x={xOf(index)}
              top={TOP}
              bottom={HEIGHT - BOTTOM}
              label={labels.get(axis.name) ?? axis.name}
              scale={axis.scale}
              isMetric={index === axes.length - 1}
            />
          ))}
          {order.map(row => (
            // Wider than it looks, for those who aim at it.
            <path
              key={row.run.run_id}
              className="jp-rf-Knobs-target"
              d={linePath(row, axes, xOf)}
              onMouseEnter={() => onFocus(row.run.run_id)}
            />
          ))}
        </svg>
      </div>
      <KnobFocus {...props} />
    </>
  );
}

/**
 * A run's way across the axes; it breaks where the run has no such knob.
 */
function linePath(
  row: IKnobRow,
  axes: readonly IKnobAxis[],
  xOf: (index: number) => number
): string {
  let isDown = false;
  const parts = axes.map((axis, index) => {
    const place = axis.scale.place(axis.valueOf(row));
    if (place === null) {
      isDown = false;
      return '';
    }
    const y = HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
    const part = `${isDown ? 'L' : 'M'}${xOf(index).toFixed(1)} ${y.toFixed(1)}`;
    isDown = true;
    return part;
  });
  return parts.join('');
}
