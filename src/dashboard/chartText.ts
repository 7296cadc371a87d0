import { TranslationBundle } from '@jupyterlab/translation';

import { best } from '../charts/best';
import { latest } from '../charts/metrics';
import { formatValue } from '../format';
import { IRun } from '../tokens';

/**
 * A chart in a sentence or two: what it shows, of how many runs, and which is best.
 */
export function chartText(
  metric: string,
  axis: string,
  all: readonly IRun[],
  hidden: ReadonlySet<number>,
  trans: TranslationBundle
): string {
  const runs = all.filter(run => !hidden.has(run.run_id));
  const text = trans._n(
    'Line chart of %2 of %1 run. Axis: %3.',
    'Line chart of %2 of %1 runs. Axis: %3.',
    runs.length,
    metric,
    axis
  );
  const winner = best(metric, runs, run => latest(run, metric));
  if (winner === null) {
    return text;
  }
  const value = formatValue(latest(winner, metric));
  return trans.__('%1 Best now: run %2 with %3.', text, winner.run_id, value);
}
