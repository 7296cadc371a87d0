import * as React from 'react';

interface ISparklineProps {
  /** null leaves a gap. */
  values: readonly (number | null)[];

  /** What it shows, in words. */
  label: string;

  /** Whether it only stands in for another one. */
  isQuiet?: boolean;
}

const WIDTH = 64;
const HEIGHT = 18;
const MARGIN = 2;

/**
 * The course of a metric, as small as a word.
 */
export function Sparkline(props: ISparklineProps): JSX.Element {
  const { values, label, isQuiet } = props;
  const points = place(values);
  const last = points[points.length - 1];
  return (
    <svg
      className={`jp-rf-Sparkline${isQuiet ? ' jp-mod-quiet' : ''}`}
      role="img"
      aria-label={label}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
    >
      <title>{label}</title>
      <path d={line(points)} fill="none" stroke="currentColor" />
      {last && (
        <circle cx={last.x} cy={last.y} r={MARGIN} fill="currentColor" />
      )}
    </svg>
  );
}

interface IPoint {
  index: number;
  x: number;
  y: number;
}

function place(values: readonly (number | null)[]): IPoint[] {
  const finite = values.filter((value): value is number => value !== null);
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const step = (WIDTH - 2 * MARGIN) / Math.max(1, values.length - 1);
  const points: IPoint[] = [];
  values.forEach((value, index) => {
    if (value !== null) {
      // A value that never changes is a line through the middle.
      const share = span > 0 ? (value - low) / span : 0.5;
      const y = HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN);
      points.push({ index, x: round(MARGIN + index * step), y: round(y) });
    }
  });
  return points;
}

function line(points: readonly IPoint[]): string {
  return points
    .map(({ index, x, y }, position) => {
      const goesOn = position > 0 && points[position - 1].index === index - 1;
      return `${goesOn ? 'L' : 'M'}${x} ${y}`;
    })
    .join('');
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
