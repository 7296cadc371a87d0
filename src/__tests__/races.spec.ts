import { nullTranslator } from '@jupyterlab/translation';

import { intervalBars } from '../charts/intervals';
import {
  deficit,
  intervalSentence,
  intervalText,
  isCrediblyWorse,
  standings
} from '../races';
import { IInterval } from '../tokens';
import { fakeInterval, fakeRace } from './fakeService';

const trans = nullTranslator.load('rapidfire_lab');

describe('races', () => {
  it('say of each run how far it is from the best, which has no distance', () => {
    const race = fakeRace();
    const found = standings([race, fakeRace({ best: null, intervals: [] })]);
    expect([...found.keys()].sort()).toEqual([1, 2, 3]);
    expect(found.get(2)).toEqual({ race, interval: null });
    expect(found.get(1)?.interval).toBe(race.intervals[0]);
  });

  it.each<['min' | 'max', Partial<IInterval>, boolean]>([
    ['min', { low: 0.01, high: 0.2 }, true],
    ['min', { low: -0.01, high: 0.2 }, false],
    ['min', { low: null, high: null }, false],
    ['max', { low: -0.3, high: -0.1 }, true],
    ['max', { low: 0.1, high: 0.3 }, false]
  ])(
    'with mode %s and an interval of %j, credibly worse: %s',
    (mode, ends, isWorse) => {
      const race = fakeRace({ mode });
      expect(isCrediblyWorse(race, fakeInterval(ends))).toBe(isWorse);
    }
  );

  it('are told as numbers and in words', () => {
    const race = fakeRace();
    const [worse, early] = race.intervals;
    expect(intervalText(worse)).toBe('+0.100 [0.020, 0.180]');
    const wide = { difference: -12.3456, low: -250, high: 225.3 };
    expect(intervalText(fakeInterval(wide))).toBe('-12 [-250, 225]');
    const tiny = { difference: 2e-7, low: 1e-7, high: 3e-7 };
    expect(intervalText(fakeInterval(tiny))).toBe('+2e-7 [1e-7, 3e-7]');
    expect(intervalText(early)).toBe('+0.5 [?]');
    expect(intervalSentence(race, worse, trans)).toBe(
      'Mean difference of chunk_loss to run 2 at 30 places of the data: 0.1. ' +
        'At a confidence of 0.95 it lies between 0.02 and 0.18: credibly worse.'
    );
    expect(intervalSentence(race, early, trans)).toBe(
      'Mean difference of chunk_loss to run 2 at 1 place of the data: 0.5. ' +
        'It is too early to tell more.'
    );
    const open = fakeInterval({ low: -0.1 });
    expect(intervalSentence(race, open, trans)).toMatch(
      /between -0.1 and 0.18: it may be as good.$/
    );
  });

  it('count what is worse the way the metric goes', () => {
    const interval = fakeInterval({ difference: -0.2 });
    expect(deficit(fakeRace({ mode: 'max' }), interval)).toBe(0.2);
    expect(deficit(fakeRace(), interval)).toBe(-0.2);
  });
});

describe('the bars of a race', () => {
  it('have zero and all differences in view, the nearest to the best first', () => {
    const { bars, zero, ticks } = intervalBars(fakeRace());
    expect(bars.map(({ interval }) => interval.run_id)).toEqual([1, 3]);
    for (const bar of bars) {
      expect(bar.low).toBeLessThan(bar.at);
      expect(bar.at).toBeLessThan(bar.high);
      expect(zero).toBeLessThan(bar.at);
    }
    expect(zero).toBeGreaterThan(0);
    expect(ticks.length).toBeGreaterThan(2);
  });

  it('end where the drawing does when an interval is wide or not there yet', () => {
    const wide = fakeInterval({ run_id: 4, low: -50, high: 50 });
    const [near, far] = [fakeInterval(), fakeInterval({ low: null })];
    const { bars } = intervalBars(fakeRace({ intervals: [near, wide, far] }));
    expect(bars.map(bar => [bar.isCutLow, bar.isCutHigh])).toEqual([
      [false, false],
      [true, true],
      [true, false]
    ]);
    expect([bars[1].low, bars[1].high]).toEqual([0, 1]);
    expect(bars[0].high - bars[0].low).toBeGreaterThan(0.3);
  });

  it('leave hidden runs out', () => {
    const shown = (hidden: number[]) =>
      intervalBars(fakeRace(), new Set(hidden)).bars.length;
    expect([shown([1]), shown([2]), shown([])]).toEqual([1, 0, 2]);
  });

  it('have a scale even of a single difference of zero', () => {
    const same = fakeInterval({ difference: 0, low: null, high: null });
    const { bars, zero } = intervalBars(fakeRace({ intervals: [same] }));
    expect([bars[0].at, zero]).toEqual([0.5, 0.5]);
  });
});
