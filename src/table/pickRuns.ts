import { IRun } from '../tokens';

/**
 * Some runs with their clones, and the clones of those.
 */
export function pickRuns(
  runs: readonly IRun[],
  runIds: readonly number[] | undefined
): readonly IRun[] {
  if (!runIds) {
    return runs;
  }
  const ids = new Set(runIds);
  // A clone has a higher id than its parent, and runs come by id.
  for (const { run_id, parent } of runs) {
    if (parent !== null && ids.has(parent)) {
      ids.add(run_id);
    }
  }
  return runs.filter(({ run_id }) => ids.has(run_id));
}
