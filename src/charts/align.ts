import { IAligned, ICurve } from './types';

type Cell = number | null | undefined;

/**
 * Put curves, each with its own x, on one shared x axis.
 *
 * Downsampled curves have hardly an x in common, and two hundred of them would make a table of
 * millions of cells: past `maxCells` the points move to a grid, finer than a pixel.
 */
export function align(curves: readonly ICurve[], maxCells: number): IAligned {
  const exact = sortedXs(curves);
  const xs = exact.length > maxCells ? grid(exact, maxCells) : exact;
  const find = xs === exact ? exactly(xs) : nearest(xs);
  const ys = curves.map(curve => widenGaps(place(curve, xs.length, find)));
  return { x: xs, ys };
}

function sortedXs(curves: readonly ICurve[]): number[] {
  const xs = new Set<number>();
  curves.forEach(curve => curve.x.forEach(x => xs.add(x)));
  return Array.from(xs).sort((a, b) => a - b);
}

function grid(xs: readonly number[], cells: number): number[] {
  const first = xs[0];
  const width = (xs[xs.length - 1] - first) / (cells - 1);
  return Array.from({ length: cells }, (_, i) => first + i * width);
}

function exactly(xs: readonly number[]): (x: number) => number {
  const places = new Map(xs.map((x, i) => [x, i]));
  return x => places.get(x) ?? 0;
}

function nearest(xs: readonly number[]): (x: number) => number {
  const width = (xs[xs.length - 1] - xs[0]) / (xs.length - 1);
  return x => Math.round((x - xs[0]) / width);
}

function place(
  curve: ICurve,
  length: number,
  find: (x: number) => number
): Cell[] {
  const cells = new Array<Cell>(length).fill(undefined);
  curve.x.forEach((x, i) => {
    const at = find(x);
    // Two points in one cell: a number tells more than a gap.
    cells[at] = curve.y[i] ?? cells[at] ?? null;
  });
  return cells;
}

/**
 * A gap reaches to the run's own next points, not just to the next x of any run.
 */
function widenGaps(cells: Cell[]): Cell[] {
  for (const step of [1, -1]) {
    let gap = false;
    let i = step > 0 ? 0 : cells.length - 1;
    for (; i >= 0 && i < cells.length; i += step) {
      if (cells[i] === undefined && gap) {
        cells[i] = null;
      }
      gap = cells[i] === null;
    }
  }
  return cells;
}
