import { TranslationBundle } from '@jupyterlab/translation';

import { formatDuration, formatValue } from '../format';
import { IRun, ISeriesAnswer, SeriesX } from '../tokens';
import { AxisKind, ICurve } from './types';

/** The x to ask the server for; epochs are computed from minibatches. */
export function serverX(axis: AxisKind): SeriesX {
  return axis === 'time' || axis === 'run_time' ? axis : 'step';
}

/**
 * The curves of an answer on the chosen axis, in the order of `runs`; a run without points has an
 * empty curve, so that all charts have the same runs at the same places.
 */
export function curvesOn(
  axis: AxisKind,
  answer: ISeriesAnswer,
  runs: readonly IRun[]
): ICurve[] {
  const series = new Map(answer.series.map(one => [one.run_id, one]));
  return runs.map(run => {
    const { x = [], y = [] } = series.get(run.run_id) ?? {};
    const perEpoch = axis === 'epoch' ? run.steps_per_epoch : 1;
    return perEpoch > 0
      ? { runId: run.run_id, x: x.map(at => at / perEpoch), y }
      : { runId: run.run_id, x: [], y: [] };
  });
}

/** @param metric - The metric of an axis that goes by one. */
export function axisLabel(
  axis: AxisKind,
  trans: TranslationBundle,
  metric = ''
): string {
  switch (axis) {
    case 'step':
      return trans.__('Minibatch');
    case 'epoch':
      return trans.__('Epoch');
    case 'time':
      return trans.__('Time since the start');
    case 'run_time':
      return trans.__('Time since the run began');
    case 'metric':
      return metric;
  }
}

/** A value of the axis, for ticks and readouts. */
export function formatX(axis: AxisKind, x: number): string {
  switch (axis) {
    case 'step':
      return `${Math.round(x)}`;
    case 'epoch':
      return formatValue(Number(x.toFixed(2)));
    case 'time':
    case 'run_time':
      return formatDuration(x);
    case 'metric':
      return formatValue(Number(x.toPrecision(6)));
  }
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Distances of ticks that people read as times, in seconds. */
const TIMES = [1, 2, 5, 10, 15, 30].concat(
  [1, 2, 5, 10, 15, 30].map(minutes => minutes * MINUTE),
  [1, 2, 3, 6, 12].map(hours => hours * HOUR),
  [1, 2, 5, 10, 20, 50, 100].map(days => days * DAY)
);

/**
 * The distances that ticks may have: minibatches are whole, times go by 60. Of other numbers, any round ones.
 */
export function tickSteps(axis: AxisKind): number[] | undefined {
  if (axis === 'metric') {
    return undefined;
  }
  if (axis === 'time' || axis === 'run_time') {
    return TIMES;
  }
  const steps: number[] = [];
  for (let size = axis === 'epoch' ? 0.001 : 1; size < 1e9; size *= 10) {
    steps.push(size, 2 * size, 5 * size);
  }
  return steps.map(step => Number(step.toPrecision(1)));
}
