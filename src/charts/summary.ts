import { ISeriesAnswer } from '../tokens';

/** A curve in three numbers, for those who do not see it. */
interface ISummary {
  runId: number;
  last: number | null;
  min: number | null;
  max: number | null;
}

/**
 * Last, smallest and largest value of each run; runs without any point are left out.
 */
export function summarise(answer: ISeriesAnswer): ISummary[] {
  return answer.series
    .filter(series => series.y.length > 0)
    .map(series => {
      const values = series.y.filter(
        (value): value is number => value !== null
      );
      return {
        runId: series.run_id,
        last: series.y[series.y.length - 1],
        min: values.reduce<number | null>(smaller, null),
        max: values.reduce<number | null>(larger, null)
      };
    });
}

function smaller(a: number | null, b: number): number {
  return a === null || b < a ? b : a;
}

function larger(a: number | null, b: number): number {
  return a === null || b > a ? b : a;
}
