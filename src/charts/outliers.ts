/** A range of values, and how many curves leave it. */
export interface IFit {
  min: number;
  max: number;
  outside: number;
}

/** Share of the height below which the other curves look like one flat line. */
const FLAT = 0.05;

/** Share of a curve's values, at either end, that alone do not count. */
const TAIL = 0.01;

type Range = readonly [number, number];

/**
 * The range of most curves, where a few others, or single values, would press them flat; null where
 * all of them have room.
 */
export function fitMost(
  curves: readonly (readonly (number | null)[])[],
  log: boolean
): IFit | null {
  const to = log ? Math.log10 : (y: number) => y;
  const sorted = curves
    .map(ys => ys.filter((y): y is number => y !== null).map(to))
    .filter(ys => ys.length > 0)
    .map(ys => ys.sort((a, b) => a - b));
  if (!sorted.length) {
    return null;
  }
  const most = withoutExtremes(sorted.map(withoutTails));
  const whole = sorted.map(ys => [ys[0], ys[ys.length - 1]] as const);
  // Curves that are all level have no shape to lose.
  if (!(span(most) > 0) || span(most) >= FLAT * span(whole)) {
    return null;
  }
  const [min, max] = union(most);
  const room = (max - min) / 2;
  const outside = whole.filter(
    ([low, high]) => low < min - room || high > max + room
  ).length;
  const from = log ? (y: number) => 10 ** y : (y: number) => y;
  return { min: from(min), max: from(max), outside };
}

function withoutTails(sorted: readonly number[]): Range {
  const last = sorted.length - 1;
  return [
    sorted[Math.floor(TAIL * last)],
    sorted[Math.ceil(last - TAIL * last)]
  ];
}

/** Without those, half of them at most, that press the others flat. */
function withoutExtremes(all: readonly Range[]): readonly Range[] {
  const least = Math.ceil(all.length / 2);
  const orders = [
    (a: Range, b: Range) => a[1] - b[1],
    (a: Range, b: Range) => b[0] - a[0]
  ];
  let kept = all;
  for (;;) {
    const choices = orders.flatMap(order => {
      const ordered = [...kept].sort(order);
      return ordered.slice(least).map((_, i) => ordered.slice(0, least + i));
    });
    const flat = choices.filter(
      rest => span(rest) > 0 && span(rest) < FLAT * span(kept)
    );
    if (!flat.length) {
      return kept;
    }
    // As few as possible are left out.
    kept = flat.reduce((a, b) => (b.length > a.length ? b : a));
  }
}

function union(ranges: readonly Range[]): Range {
  return [
    Math.min(...ranges.map(([min]) => min)),
    Math.max(...ranges.map(([, max]) => max))
  ];
}

function span(ranges: readonly Range[]): number {
  const [min, max] = union(ranges);
  return max - min;
}
