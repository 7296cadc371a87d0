import { IRun, ISeriesAnswer } from '../../tokens';
import { align } from '../align';
import { curvesOn, formatX, serverX, tickSteps } from '../axis';
import { nearestPoint } from '../nearest';
import { maxPoints, prepare } from '../prepare';
import { smooth } from '../smooth';
import { summarise } from '../summary';

function run(run_id: number, steps_per_epoch = 10): IRun {
  return { run_id, steps_per_epoch } as IRun;
}

function answer(
  series: { run_id: number; x: number[]; y: (number | null)[] }[]
): ISeriesAnswer {
  return {
    metric: 'loss',
    per: 'step',
    x: 'step',
    series: series.map(one => ({ ...one, points: one.x.length }))
  };
}

const LINEAR = { axis: 'step', log: false, smoothing: 0 } as const;

describe('smooth', () => {
  it('changes nothing without a weight', () => {
    expect(smooth([3, null, 1], 0)).toEqual([3, null, 1]);
  });

  it('leaves constants alone: the average is debiased', () => {
    smooth([2, 2, 2], 0.9).forEach(value => expect(value).toBeCloseTo(2));
  });

  it('weighs the past as TensorBoard does', () => {
    const [first, second] = smooth([1, 3], 0.5);
    expect(first).toBe(1);
    expect(second).toBeCloseTo((0.5 * 0.5 * 1 + 0.5 * 3) / 0.75);
  });

  it('passes over gaps', () => {
    const [, gap, last] = smooth([2, null, 2], 0.6);
    expect(gap).toBeNull();
    expect(last).toBeCloseTo(2);
  });
});

describe('align', () => {
  it('joins curves on the x that any of them has', () => {
    const { x, ys } = align(
      [
        { runId: 1, x: [1, 3], y: [10, 30] },
        { runId: 2, x: [2, 3], y: [20, 31] }
      ],
      100
    );
    expect(x).toEqual([1, 2, 3]);
    expect(ys).toEqual([
      [10, undefined, 30],
      [undefined, 20, 31]
    ]);
  });

  it('widens gaps up to the next points of the run itself', () => {
    const { ys } = align(
      [
        { runId: 1, x: [1, 3, 5], y: [1, null, 5] },
        { runId: 2, x: [2, 4], y: [2, 4] }
      ],
      100
    );
    expect(ys[0]).toEqual([1, null, null, null, 5]);
    expect(ys[1]).toEqual([undefined, 2, undefined, 4, undefined]);
  });

  it('moves points to a grid where there are too many x', () => {
    const xs = Array.from({ length: 100 }, (_, i) => i + 1);
    const { x, ys } = align([{ runId: 1, x: xs, y: xs }], 10);
    expect(x).toHaveLength(10);
    expect([x[0], x[9]]).toEqual([1, 100]);
    expect(ys[0].every(value => typeof value === 'number')).toBe(true);
  });

  it('keeps numbers where a gap falls into the same cell', () => {
    const { ys } = align([{ runId: 1, x: [0, 0.1, 10], y: [5, null, 6] }], 2);
    expect(ys[0]).toEqual([5, 6]);
  });

  it('takes curves without points', () => {
    expect(align([{ runId: 1, x: [], y: [] }], 10)).toEqual({
      x: [],
      ys: [[]]
    });
  });
});

describe('axes', () => {
  it('computes epochs from minibatches, each run by its own', () => {
    const given = answer([
      { run_id: 1, x: [10, 20], y: [1, 2] },
      { run_id: 2, x: [10, 20], y: [3, 4] }
    ]);
    const curves = curvesOn('epoch', given, [run(1, 10), run(2, 20)]);
    expect(curves.map(curve => curve.x)).toEqual([
      [1, 2],
      [0.5, 1]
    ]);
  });

  it('gives runs without points, or with unknown epochs, an empty curve', () => {
    const given = answer([{ run_id: 2, x: [10], y: [1] }]);
    const curves = curvesOn('epoch', given, [run(1), run(2, 0)]);
    expect(curves).toEqual([
      { runId: 1, x: [], y: [] },
      { runId: 2, x: [], y: [] }
    ]);
  });

  it('asks for time only where time is shown', () => {
    expect([serverX('step'), serverX('epoch'), serverX('time')]).toEqual([
      'step',
      'step',
      'time'
    ]);
  });

  it('writes values as people read them', () => {
    expect(formatX('step', 12.4)).toBe('12');
    expect(formatX('epoch', 1.5)).toBe('1.5');
    expect(formatX('time', 3725)).toBe('1:02:05');
  });

  it('has ticks at whole minibatches and at round times', () => {
    expect(tickSteps('step')?.slice(0, 4)).toEqual([1, 2, 5, 10]);
    expect(tickSteps('epoch')?.[0]).toBe(0.001);
    expect(tickSteps('time')).toContain(3600);
  });
});

describe('prepare', () => {
  const given = answer([{ run_id: 1, x: [1, 2, 3], y: [4, 0, 1] }]);

  it('drops what a log scale cannot show, and says so', () => {
    const data = prepare([given], [run(1)], { ...LINEAR, log: true }, 300);
    expect(data.dropped).toBe(1);
    expect(data.ys).toEqual([[4, null, 1]]);
  });

  it('goes by the shown runs alone', () => {
    const ids = Array.from({ length: 50 }, (_, i) => i + 1);
    const x = [1, 2];
    const long = answer(
      ids.map(id => ({ run_id: id, x: id > 1 ? [1, 900] : x, y: [1, 2] }))
    );
    const all = ids.map(id => run(id));
    const style = { ...LINEAR, smoothing: 0.5 };
    expect(prepare([long], all, style, 300).raw).toBeNull();
    const hidden = new Set(ids.slice(1));
    const data = prepare([long], all, style, 300, hidden);
    expect(data.runIds).toHaveLength(50);
    expect(data.x).toEqual(x);
    expect(data.raw?.[0]).toEqual([1, 2]);
  });

  it('draws a clone that goes on from where its parent stood', () => {
    const steps = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const parent = { run_id: 1, x: steps(1, 150), y: steps(1, 150) };
    const clone = { run_id: 2, x: steps(121, 200), y: steps(121, 200) };
    const both = answer([parent, clone]);
    const runs = [run(1), run(2)];
    const { x, ys } = prepare([both], runs, LINEAR, 300);
    expect(x).toEqual(steps(1, 200));
    // Neither a value nor a gap before its first point, nor a line to there.
    expect(ys[1].slice(0, 120)).toEqual(new Array(120).fill(undefined));
    expect(ys[1].slice(120)).toEqual(clone.y);
    expect(nearestPoint(x, ys[1], 59, 60, 5)).toBeNull();
    const alone = prepare([both], runs, LINEAR, 300, new Set([1]));
    expect([alone.x[0], alone.x.length]).toEqual([121, 80]);
    const smoothed = prepare([both], runs, { ...LINEAR, smoothing: 0.9 }, 300);
    expect(smoothed.ys[1][120]).toBe(121);
  });

  it('leaves all values on a linear scale', () => {
    const data = prepare([given], [run(1)], LINEAR, 300);
    expect(data).toMatchObject({ dropped: 0, raw: null, ys: [[4, 0, 1]] });
  });

  it('keeps the raw curve behind the smoothed one', () => {
    const style = { ...LINEAR, smoothing: 0.9 };
    const data = prepare([given], [run(1)], style, 300);
    expect(data.raw).toEqual([[4, 0, 1]]);
    expect(data.ys[0][2]).not.toBe(1);
  });

  it('leaves raw curves out where they would be noise', () => {
    const runs = Array.from({ length: 60 }, (_, i) => run(i + 1));
    const style = { ...LINEAR, smoothing: 0.9 };
    expect(prepare([given], runs, style, 300).raw).toBeNull();
  });

  it('asks for as many points as there are pixels, and shares them', () => {
    expect(maxPoints(500, 4)).toBe(1000);
    expect(maxPoints(500, 200)).toBe(300);
    expect(maxPoints(5000, 1)).toBe(2000);
    expect(maxPoints(0, 5000)).toBe(50);
  });
});

describe('nearestPoint', () => {
  const xs = [0, 10, 20, 30, 40];
  const ys = [undefined, 1, undefined, 3, undefined];

  it('reads the nearer of the points on both sides', () => {
    expect(nearestPoint(xs, ys, 2, 19, 1)).toBe(1);
    expect(nearestPoint(xs, ys, 2, 21, 1)).toBe(3);
  });

  it('reads nothing off the ends of the curve', () => {
    expect(nearestPoint(xs, ys, 0, 0, 5)).toBeNull();
    expect(nearestPoint(xs, ys, 4, 40, 5)).toBeNull();
    expect(nearestPoint(xs, ys, 3, 32, 5)).toBe(3);
  });

  it('reads nothing within a gap', () => {
    const gap = [0, null, null, null, 4];
    expect(nearestPoint(xs, gap, 2, 20, 5)).toBeNull();
    expect(nearestPoint(xs, gap, 0, 3, 5)).toBe(0);
  });
});

describe('summarise', () => {
  it('tells the last, smallest and largest value', () => {
    const given = answer([
      { run_id: 1, x: [1, 2, 3], y: [2, 5, null] },
      { run_id: 2, x: [], y: [] }
    ]);
    expect(summarise(given)).toEqual([
      { runId: 1, last: null, min: 2, max: 5 }
    ]);
  });
});
