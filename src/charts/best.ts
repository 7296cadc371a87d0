/** Words in the names of metrics that are better when smaller. */
const LOWER =
  /loss|err|perplexity|ppl|mae|mse|rmse|nll|wer|cer|time|seconds|latency/i;

/**
 * Whether smaller values of a metric are better, as far as its name tells.
 */
export function lowerIsBetter(metric: string): boolean {
  return LOWER.test(metric);
}

/** Words in the names of metrics that lie between 0 and 1, or 0 and 100. */
const BOUNDED = /acc(?!um)|f1|auc|bleu|rouge|precision|recall|iou|dice/i;

/**
 * Whether a logarithmic axis tells something of a metric: not where it can have but a few sizes.
 */
export function suitsLog(metric: string): boolean {
  return lowerIsBetter(metric) || !BOUNDED.test(metric);
}

/**
 * The entry with the best value of a metric; those without a value do not take part.
 */
export function best<T>(
  metric: string,
  entries: readonly T[],
  valueOf: (entry: T) => number | null | undefined
): T | null {
  const sign = lowerIsBetter(metric) ? 1 : -1;
  let found: T | null = null;
  let least = Infinity;
  for (const entry of entries) {
    const value = valueOf(entry);
    if (typeof value === 'number' && sign * value < least) {
      found = entry;
      least = sign * value;
    }
  }
  return found;
}
