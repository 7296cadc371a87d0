/**
 * Exponential moving average as TensorBoard's slider has it: debiased, so that the first values are
 * not drawn towards zero. Gaps stay gaps, and are passed over.
 *
 * @param weight - Share of the past in each value: 0 changes nothing.
 */
export function smooth(
  values: readonly (number | null)[],
  weight: number
): (number | null)[] {
  let sum = 0;
  let bias = 1;
  return values.map(value => {
    if (value === null || weight <= 0) {
      return value;
    }
    sum = weight * sum + (1 - weight) * value;
    bias *= weight;
    return sum / (1 - bias);
  });
}
