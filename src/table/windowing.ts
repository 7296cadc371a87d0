/** Heights of what is in the table, in pixels. */
export interface IHeights {
  row: number;

  /** Of the details beneath a row. */
  details: number;
}

/** A row that is rendered, or the room of rows that are not. */
export type Piece = { index: number } | { gap: number; before: number };

/** Rows rendered beyond what is seen: those that the Tab key goes to next have to exist. */
const MARGIN = 8;

/**
 * The rows to render.
 *
 * @param count - How many there are.
 * @param open - Positions of rows with details, ascending.
 * @param keep - Position of a row to render in any case, as it has the focus.
 */
export function pieces(
  view: { top: number; height: number },
  count: number,
  open: readonly number[],
  keep: number | null,
  heights: IHeights
): Piece[] {
  const first = rowAt(view.top, open, heights) - MARGIN;
  const last = rowAt(view.top + view.height, open, heights) + MARGIN;
  const found: Piece[] = [];
  let next = 0;
  for (const index of wanted(first, last, count, keep)) {
    if (index > next) {
      found.push({ gap: room(next, index, open, heights), before: index });
    }
    found.push({ index });
    next = index + 1;
  }
  if (next < count) {
    found.push({ gap: room(next, count, open, heights), before: count });
  }
  return found;
}

function wanted(
  first: number,
  last: number,
  count: number,
  keep: number | null
): number[] {
  // The table may have become shorter than where it was scrolled to.
  const end = Math.min(last + 1, count);
  const start = Math.max(0, Math.min(first, count - 2 * MARGIN));
  const rows = Array.from(
    { length: Math.max(0, end - start) },
    (_, offset) => start + offset
  );
  if (keep === null || keep >= count || (keep >= start && keep < end)) {
    return rows;
  }
  return keep < start ? [keep, ...rows] : [...rows, keep];
}

/**
 * Position of the row that is so many pixels below the first one's top.
 */
function rowAt(
  offset: number,
  open: readonly number[],
  heights: IHeights
): number {
  let details = 0;
  for (const index of open) {
    const end = (index + 1) * heights.row + details + heights.details;
    if (offset < end) {
      return Math.min(index, Math.floor((offset - details) / heights.row));
    }
    details += heights.details;
  }
  return Math.floor((offset - details) / heights.row);
}

function room(
  from: number,
  to: number,
  open: readonly number[],
  heights: IHeights
): number {
  const details = open.filter(index => index >= from && index < to).length;
  return (to - from) * heights.row + details * heights.details;
}
