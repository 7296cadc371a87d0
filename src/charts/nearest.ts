/**
 * Where a curve has the point that a cursor at `x` reads: its nearest one on either side. Null where
 * the cursor is off the curve's ends, by more than `slack`, or within a gap.
 *
 * @param at - Index of the x that is nearest to the cursor.
 */
export function nearestPoint(
  xs: readonly number[],
  ys: readonly (number | null | undefined)[],
  at: number,
  x: number,
  slack: number
): number | null {
  const isLeft = xs[at] <= x;
  const left = scan(ys, isLeft ? at : at - 1, -1);
  const right = scan(ys, isLeft ? at + 1 : at, 1);
  if (left === null || right === null) {
    const only = left ?? right;
    return only !== null && Math.abs(xs[only] - x) <= slack ? only : null;
  }
  const found = x - xs[left] <= xs[right] - x ? left : right;
  const inGap = hasGap(ys, left, right);
  return inGap && Math.abs(xs[found] - x) > slack ? null : found;
}

function scan(
  ys: readonly (number | null | undefined)[],
  from: number,
  step: number
): number | null {
  for (let i = from; i >= 0 && i < ys.length; i += step) {
    if (typeof ys[i] === 'number') {
      return i;
    }
  }
  return null;
}

function hasGap(
  ys: readonly (number | null | undefined)[],
  left: number,
  right: number
): boolean {
  // Gaps are widened up to the next points, so one cell tells.
  return right > left + 1 && ys[left + 1] === null;
}
