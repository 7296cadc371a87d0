import { Piece, pieces } from '../windowing';

const HEIGHTS = { row: 30, details: 300 };

const rows = (all: Piece[]) =>
  all.flatMap(piece => ('index' in piece ? [piece.index] : []));

const total = (all: Piece[], open: number[]) =>
  all.reduce((sum, piece) => {
    const details = 'index' in piece && open.includes(piece.index) ? 300 : 0;
    return sum + details + ('index' in piece ? 30 : piece.gap);
  }, 0);

describe('pieces', () => {
  it.each([
    [0, []],
    [9000, []],
    [29400, []],
    [9000, [2, 310, 999]],
    [99999, [5]]
  ])('is as high as all rows, at %d with %j open', (top, open) => {
    const all = pieces({ top, height: 600 }, 1000, open, null, HEIGHTS);
    expect(total(all, open)).toBe(1000 * 30 + open.length * 300);
    expect(rows(all).length).toBeLessThan(60);
    expect(rows(all).length).toBeGreaterThan(10);
  });

  it('has the rows that are seen', () => {
    const all = pieces({ top: 3000, height: 300 }, 1000, [], null, HEIGHTS);
    expect(rows(all)).toEqual(expect.arrayContaining([100, 105, 110]));
  });

  it('counts the details above them', () => {
    const all = pieces({ top: 3300, height: 300 }, 1000, [4], null, HEIGHTS);
    expect(rows(all)).toEqual(expect.arrayContaining([100, 105, 110]));
    expect(rows(all)).not.toContain(4);
  });

  it.each([3, 990])('keeps row %d, which has the focus', keep => {
    const all = pieces({ top: 9000, height: 300 }, 1000, [], keep, HEIGHTS);
    expect(rows(all)).toContain(keep);
    expect(total(all, [])).toBe(30000);
  });
});
