import { IRun, IRunsModel, KnobValue } from '../tokens';
import { lowerIsBetter } from './best';
import { latest } from './metrics';
import { IScale, scaleFor } from './scale';

/** A run that has a value of the chosen metric, for the views of knobs. */
export interface IKnobRow {
  run: IRun;
  value: number;

  /** 0 for the worst run, 1 for the best, by rank: one bad run must not make all others alike. */
  goodness: number;
}

/**
 * The runs with a value of the metric, best first.
 */
export function knobRows(runs: readonly IRun[], metric: string): IKnobRow[] {
  const values = runs.flatMap(run => {
    const value = latest(run, metric);
    return value === null ? [] : [{ run, value }];
  });
  const sign = lowerIsBetter(metric) ? 1 : -1;
  values.sort((a, b) => sign * (a.value - b.value));
  const last = Math.max(1, values.length - 1);
  return values.map((row, rank) => ({ ...row, goodness: 1 - rank / last }));
}

/** An axis of the parallel coordinates, or of the scatter view. */
export interface IKnobAxis {
  /** Path of the knob, or name of the metric. */
  name: string;
  scale: IScale;
  valueOf(row: IKnobRow): KnobValue | undefined;
}

export function knobAxis(name: string, rows: readonly IKnobRow[]): IKnobAxis {
  const valueOf = (row: IKnobRow) => row.run.knobs[name];
  return { name, scale: scaleFor(rows.map(valueOf)), valueOf };
}

export function metricAxis(name: string, rows: readonly IKnobRow[]): IKnobAxis {
  const valueOf = (row: IKnobRow) => row.value;
  return { name, scale: scaleFor(rows.map(valueOf)), valueOf };
}

/**
 * The metrics that knobs can be held against: those of epochs, or the loss before the first has ended.
 */
export function comparable(model: IRunsModel): string[] {
  const names = [...model.metricNames];
  const hasLoss = model.runs.some(run => run.loss !== null);
  const isMissing = !names.includes('minibatch_loss');
  return hasLoss && isMissing ? [...names, 'minibatch_loss'] : names;
}

/** The colour of a run between bad and good, as CSS. */
export function goodnessColour(goodness: number): string {
  const share = Math.round(100 * goodness);
  return `color-mix(in oklab, var(--jp-rf-good) ${share}%, var(--jp-rf-bad))`;
}
