/**
 * Ticks of a logarithmic axis: powers of ten, and what lies between them where there is room.
 */
export function logTicks(min: number, max: number): number[] {
  if (!(min > 0) || !(max > min)) {
    return [];
  }
  const choices = [[1], [1, 2, 5], [1, 2, 3, 5, 7]];
  const ticks = choices.map(heads => within(heads, min, max));
  // The coarsest that still tells the scale; a narrow stretch has round numbers as a linear one has.
  return ticks.find(some => some.length >= 3) ?? evenTicks(min, max);
}

function within(heads: readonly number[], min: number, max: number): number[] {
  const powers: number[] = [];
  for (let p = Math.floor(Math.log10(min)); 10 ** p <= max; p += 1) {
    powers.push(p);
  }
  return powers
    .flatMap(p => heads.map(head => Number(`${head}e${p}`)))
    .filter(tick => tick >= min && tick <= max);
}

/**
 * Round numbers between two, some five of them.
 */
export function evenTicks(min: number, max: number): number[] {
  const rough = (max - min) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find(n => n * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let n = Math.ceil(min / step); n * step <= max; n += 1) {
    ticks.push(Number((n * step).toPrecision(6)));
  }
  return ticks;
}
