/**
 * Hide a run that is shown, show one that is hidden.
 */
export function toggled(hidden: readonly number[], runId: number): number[] {
  return hidden.includes(runId)
    ? hidden.filter(id => id !== runId)
    : [...hidden, runId];
}

/**
 * Hide all other runs; if they are hidden already, show them again.
 */
export function soloed(
  hidden: readonly number[],
  runIds: readonly number[],
  runId: number
): number[] {
  const others = runIds.filter(id => id !== runId);
  const isAlone =
    !hidden.includes(runId) && others.every(id => hidden.includes(id));
  return isAlone ? [] : others;
}
