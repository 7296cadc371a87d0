import { knobLabels, knobsText } from '../../format';
import { IPageQuery, IRun } from '../../tokens';
import { restoreState } from '../dashboardState';
import { ILogLine, LogPages } from '../logPages';
import { Refresher } from '../refresher';
import { formatMoment, formatSize } from '../times';
import { DEFAULT_STATE } from './dashboardFakes';

describe('Refresher', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('runs at most once per interval, however often it is poked', async () => {
    const task = jest.fn().mockResolvedValue(undefined);
    const refresher = new Refresher(task, 1000);
    refresher.active = true;
    for (let i = 0; i < 45; i += 1) {
      refresher.poke();
      await jest.advanceTimersByTimeAsync(100);
    }
    expect(task).toHaveBeenCalledTimes(5);
    refresher.dispose();
  });

  it('never runs twice at once', async () => {
    let finish = () => {};
    const task = jest.fn(
      () => new Promise<void>(resolve => (finish = resolve))
    );
    const refresher = new Refresher(task, 10);
    refresher.active = true;
    await jest.advanceTimersByTimeAsync(0);
    refresher.poke();
    await jest.advanceTimersByTimeAsync(1000);
    expect(task).toHaveBeenCalledTimes(1);
    finish();
    await jest.advanceTimersByTimeAsync(10);
    expect(task).toHaveBeenCalledTimes(2);
    refresher.dispose();
  });

  it('waits while nobody looks, and then catches up', async () => {
    const task = jest.fn().mockResolvedValue(undefined);
    const refresher = new Refresher(task, 10);
    refresher.poke();
    await jest.advanceTimersByTimeAsync(100);
    expect(task).not.toHaveBeenCalled();
    refresher.active = true;
    await jest.advanceTimersByTimeAsync(10);
    expect(task).toHaveBeenCalledTimes(1);
    refresher.dispose();
  });

  it('runs no more once it is disposed', async () => {
    const task = jest.fn().mockResolvedValue(undefined);
    const refresher = new Refresher(task, 10);
    refresher.active = true;
    refresher.dispose();
    refresher.poke();
    await jest.advanceTimersByTimeAsync(100);
    expect(task).not.toHaveBeenCalled();
    expect(refresher.isDisposed).toBe(true);
  });
});

/** A server's log of lines 1 to `count`. */
function logOf(count: number) {
  const lines: ILogLine[] = [];
  const grow = (to: number) => {
    for (let id = lines.length + 1; id <= to; id += 1) {
      lines.push({ id, time: id, run_id: null });
    }
  };
  grow(count);
  const load = jest.fn(async ({ after, before, limit = 100 }: IPageQuery) => {
    const items =
      after !== undefined
        ? lines.filter(line => line.id > after).slice(0, limit)
        : lines
            .filter(line => before === undefined || line.id < before)
            .slice(-limit);
    const [first, last] = [items[0], items[items.length - 1]];
    return {
      items,
      more_before: first !== undefined && first.id > 1,
      more_after: last !== undefined && last.id < lines.length
    };
  });
  return { load, grow };
}

function idsOf(pages: LogPages<ILogLine>): number[] {
  return pages.lines.map(line => line.id);
}

describe('LogPages', () => {
  it('starts with the newest lines and goes back a page at a time', async () => {
    const { load } = logOf(450);
    const pages = new LogPages(load);
    await pages.loadNewer();
    expect([idsOf(pages)[0], idsOf(pages)[199]]).toEqual([251, 450]);
    expect(pages.moreBefore).toBe(true);
    await pages.loadOlder();
    await pages.loadOlder();
    expect(idsOf(pages)).toHaveLength(450);
    expect(pages.moreBefore).toBe(false);
  });

  it('follows over as many pages as it takes', async () => {
    const { load, grow } = logOf(10);
    const pages = new LogPages(load);
    await pages.loadNewer();
    grow(510);
    await pages.loadNewer();
    expect(idsOf(pages)).toEqual(Array.from({ length: 510 }, (_, i) => i + 1));
  });

  it('keeps its lines as they are when there are no newer ones', async () => {
    const pages = new LogPages(logOf(3).load);
    await pages.loadNewer();
    const before = pages.lines;
    await pages.loadNewer();
    expect(pages.lines).toBe(before);
  });

  it('takes an empty log', async () => {
    const pages = new LogPages(logOf(0).load);
    await pages.loadNewer();
    await pages.loadOlder();
    expect(pages.lines).toEqual([]);
  });

  it('lets go of the oldest lines of a log that never ends', async () => {
    const { load, grow } = logOf(100);
    const pages = new LogPages(load);
    await pages.loadNewer();
    grow(6000);
    await pages.loadNewer();
    expect(pages.lines).toHaveLength(5000);
    expect(pages.moreBefore).toBe(true);
  });
});

describe('restoreState', () => {
  it('survives a round trip through JSON', () => {
    const state = {
      ...DEFAULT_STATE,
      experiment: 'a',
      tab: 'knobs' as const,
      axis: 'time' as const,
      log: true,
      smoothing: 0.6,
      hidden: [2],
      charts: ['val_loss'],
      knobView: 'scatter' as const
    };
    expect(restoreState(JSON.parse(JSON.stringify(state)))).toEqual(state);
  });

  it('leaves at the default what does not fit', () => {
    const kept = {
      tab: 'music',
      axis: 3,
      smoothing: 7,
      hidden: 'all',
      charts: [1, 'f1'],
      log: 'yes'
    };
    expect(restoreState(kept)).toEqual({ ...DEFAULT_STATE, charts: ['f1'] });
    expect(restoreState({})).toEqual(DEFAULT_STATE);
  });
});

describe('words', () => {
  it('names knobs shortly, but never two alike', () => {
    const paths = ['train.lr', 'user_knobs.lr', 'train.optimizer.name'];
    expect(Array.from(knobLabels(paths).values())).toEqual([
      'train.lr',
      'user_knobs.lr',
      'optimizer'
    ]);
  });

  it('tells what is particular to a run', () => {
    const run = { knobs: { 'train.lr': 0.01, 'train.x': null } } as unknown;
    const paths = ['train.lr', 'train.x', 'train.other'];
    expect(knobsText(run as IRun, paths)).toBe('lr 0.01, x –');
  });

  it('leaves the date of today out', () => {
    const now = new Date(2026, 4, 3, 12, 0, 0);
    const today = new Date(2026, 4, 3, 9, 8, 7).getTime() / 1000;
    expect(formatMoment(today, now)).not.toContain('2026');
    expect(formatMoment(today - 86400, now)).toContain('2026');
  });

  it('writes sizes as people read them', () => {
    expect([512, 1536, 200 * 1024, 3 * 1024 ** 3].map(formatSize)).toEqual([
      '512 B',
      '1.5 KiB',
      '200 KiB',
      '3.0 GiB'
    ]);
  });
});
