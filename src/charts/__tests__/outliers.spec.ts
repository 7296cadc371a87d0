import { fitMost } from '../outliers';

const sane = [
  [2, 1, 0.5],
  [1.8, 1.2, 0.7]
];

describe('the range of most curves', () => {
  it('is that of all where all have room', () => {
    expect(fitMost(sane, false)).toBeNull();
    expect(fitMost([], false)).toBeNull();
    expect(fitMost([[null], [1, 1]], false)).toBeNull();
    expect(fitMost([...sane, [10, 4]], false)).toBeNull();
  });

  it('leaves out a run that diverged, above or below', () => {
    const fit = { min: 0.5, max: 2, outside: 1 };
    expect(fitMost([...sane, [2, 1e6, 1e21]], false)).toEqual(fit);
    expect(fitMost([...sane, [2, -1e6]], false)).toEqual(fit);
    expect(
      fitMost(
        [
          [2, 1, 0.5],
          [2, null, 1e21]
        ],
        false
      )
    ).toEqual(fit);
  });

  it('leaves out runs that diverged each by its own size', () => {
    const others = [
      [1, 1e10],
      [1, 1e21]
    ];
    expect(fitMost([...sane, [1, 0.6], ...others], false)).toEqual({
      min: 0.5,
      max: 2,
      outside: 2
    });
  });

  it('leaves out single values of a run', () => {
    const long = Array.from({ length: 200 }, (_, i) => 1 - i / 400);
    const fit = fitMost([[1e9, ...long]], false)!;
    expect(fit.max).toBeLessThan(2);
    expect(fit.outside).toBe(1);
  });

  it('goes by the powers of ten on a log scale', () => {
    expect(fitMost([...sane, [2, 1e3]], true)).toBeNull();
    const fit = fitMost([...sane, [2, 1e21]], true)!;
    expect(fit.max).toBeCloseTo(2);
    expect(fit.outside).toBe(1);
  });
});
