import * as React from 'react';

import { goodnessColour, knobAxis, metricAxis } from '../charts/knobRows';
import { KnobFocus } from './KnobFocus';
import { IKnobViewProps, knobViewText } from './knobView';
import { useWidth } from './useWidth';

const HEIGHT = 360;
const TOP = 28;
const BOTTOM = 44;
const LEFT = 72;
const RIGHT = 32;

/** Room between the outermost points and the frame. */
const INSET = 16;

/**
 * A dot per run: one knob against the metric.
 */
export function KnobScatter(
  props: IKnobViewProps & { knob: string }
): JSX.Element {
  const { trans, rows, knob, labels, metric, focus, onFocus } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const width = Math.max(useWidth(host), 320);
  const across = knobAxis(knob, rows);
  const upright = metricAxis(metric, rows);
  const right = width - RIGHT;
  const bottom = HEIGHT - BOTTOM;
  const xOf = (at: number) => LEFT + INSET + at * (right - LEFT - 2 * INSET);
  const yOf = (at: number) => bottom - INSET - at * (bottom - TOP - 2 * INSET);
  const label = labels.get(knob) ?? knob;
  return (
    <>
      <div className="jp-rf-Knobs-plot" ref={host}>
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={knobViewText(props)}
          onMouseLeave={() => onFocus(null)}
        >
          <g className="jp-rf-Axis" aria-hidden="true">
            {across.scale.ticks.map(tick => (
              <g key={tick.label}>
                <line
                  className="jp-rf-Axis-grid"
                  x1={xOf(tick.at)}
                  x2={xOf(tick.at)}
                  y1={TOP}
                  y2={bottom}
                />
                <text x={xOf(tick.at)} y={bottom + 16} textAnchor="middle">
                  {tick.label}
                </text>
              </g>
            ))}
            {upright.scale.ticks.map(tick => (
              <g key={tick.label}>
                <line
                  className="jp-rf-Axis-grid"
                  x1={LEFT}
                  x2={right}
                  y1={yOf(tick.at)}
                  y2={yOf(tick.at)}
                />
                <text
                  x={LEFT - 8}
                  y={yOf(tick.at)}
                  dominantBaseline="central"
                  textAnchor="end"
                >
                  {tick.label}
                </text>
              </g>
            ))}
            <text className="jp-rf-Axis-name" x={LEFT} y={TOP - 12}>
              {metric}
            </text>
            <text
              className="jp-rf-Axis-name"
              x={right}
              y={HEIGHT - 8}
              textAnchor="end"
            >
              {across.scale.kind === 'log'
                ? trans.__('%1 (log scale)', label)
                : label}
            </text>
          </g>
          {[...rows].reverse().map(row => {
            const x = across.scale.place(across.valueOf(row));
            const y = upright.scale.place(row.value);
            const { run_id: runId } = row.run;
            return x === null || y === null ? null : (
              <circle
                key={runId}
                className="jp-rf-Knobs-dot"
                data-focus={runId === focus}
                cx={xOf(x)}
                cy={yOf(y)}
                r={runId === focus ? 8 : 6}
                style={{ fill: goodnessColour(row.goodness) }}
                onMouseEnter={() => onFocus(runId)}
              />
            );
          })}
        </svg>
      </div>
      <KnobFocus {...props} />
    </>
  );
}
