import { TranslationBundle } from '@jupyterlab/translation';

import { ShownStatus, shownStatus } from '../runs';
import { EngineState, IRun } from '../tokens';
import { STATUSES } from './tableState';

/**
 * Runs in one line: "12 runs: 3 running, 9 completed".
 *
 * @param shown - How many of them a filter lets through.
 */
export function summarise(
  runs: readonly IRun[],
  shown: number,
  engine: EngineState,
  trans: TranslationBundle
): string {
  const counts = countStatuses(runs, engine);
  const parts = STATUSES.filter(status => counts.has(status)).map(status =>
    countText(status, counts.get(status) ?? 0, trans)
  );
  const total =
    shown === runs.length
      ? trans._n('%1 run', '%1 runs', runs.length)
      : trans.__('%1 of %2 runs shown', shown, runs.length);
  return parts.length ? trans.__('%1: %2', total, parts.join(', ')) : total;
}

export function countStatuses(
  runs: readonly IRun[],
  engine: EngineState
): Map<ShownStatus, number> {
  const counts = new Map<ShownStatus, number>();
  for (const run of runs) {
    const status = shownStatus(run, engine);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return counts;
}

function countText(
  status: ShownStatus,
  count: number,
  trans: TranslationBundle
): string {
  switch (status) {
    case 'queued':
      return trans._n('%1 queued', '%1 queued', count);
    case 'running':
      return trans._n('%1 running', '%1 running', count);
    case 'stopping':
      return trans._n('%1 stopping', '%1 stopping', count);
    case 'interrupted':
      return trans._n('%1 interrupted', '%1 interrupted', count);
    case 'stopped':
      return trans._n('%1 stopped', '%1 stopped', count);
    case 'completed':
      return trans._n('%1 completed', '%1 completed', count);
    case 'failed':
      return trans._n('%1 failed', '%1 failed', count);
  }
}
