import type uPlot from 'uplot';

import { createPlot } from '../plot';
import { uplotOptions } from '../plotOptions';
import { IPlotData, IPlotOptions } from '../types';

/** Stands for uPlot, which draws on a canvas: none in jsdom. */
class FakePlot {
  static last: FakePlot;

  constructor(
    readonly options: uPlot.Options,
    public data: uPlot.AlignedData
  ) {
    FakePlot.last = this;
    this.series = options.series.map(series => ({ show: true, ...series }));
    this._fit();
  }

  series: { show: boolean }[];
  scales = { x: { min: 0, max: 0 } };
  cursor: { left: number; top: number; idxs: (number | null)[] } = {
    left: -10,
    top: -10,
    idxs: []
  };
  over = { offsetLeft: 40, offsetTop: 10 };
  width = 500;
  batch = (change: () => void) => change();
  setData = jest.fn((data: uPlot.AlignedData, reset: boolean) => {
    this.data = data;
    if (reset) {
      this._fit();
    }
  });
  setScale = jest.fn((_: string, limits: { min: number; max: number }) => {
    this.scales.x = limits;
    this.fire('setScale', 'x');
  });
  setSeries = jest.fn((index: number | null, change: object) => {
    if (index !== null && 'show' in change) {
      Object.assign(this.series[index], change);
    }
    this.fire('setSeries', index, change);
  });
  setSize = jest.fn();
  redraw = jest.fn();
  destroy = jest.fn();
  posToVal = (left: number) => left;

  fire(hook: 'setScale' | 'setSeries' | 'setCursor', ...args: unknown[]) {
    const hooks = this.options.hooks?.[hook] as
      ((...all: unknown[]) => void)[] | undefined;
    hooks?.forEach(one => one(this, ...args));
  }

  private _fit() {
    const xs = this.data[0] as number[];
    this.scales.x = { min: xs[0], max: xs[xs.length - 1] };
    this.fire('setScale', 'x');
  }
}

jest.mock('uplot', () => ({
  __esModule: true,
  default: Object.assign(
    jest.fn((...args: ConstructorParameters<typeof FakePlot>) => {
      return new FakePlot(...args);
    }),
    { rangeNum: (min: number, max: number) => [min, max] }
  )
}));

const DATA: IPlotData = {
  runIds: [1, 2],
  metrics: null,
  x: [0, 10, 20],
  ys: [
    [3, 2, 1],
    [4, undefined, 2]
  ],
  raw: null,
  dropped: 0,
  fit: null
};

const SMOOTHED: IPlotData = { ...DATA, raw: DATA.ys };

function open(data = DATA) {
  const host = document.createElement('div');
  const onReading = jest.fn();
  const onZoom = jest.fn();
  const options: IPlotOptions = {
    axis: 'step',
    log: false,
    syncKey: 'all',
    onReading,
    onZoom
  };
  const size = { width: 500, height: 200 };
  const plot = createPlot(host, data, options, size);
  return { host, plot, onReading, onZoom };
}

describe('a plot', () => {
  it('draws the raw curves first, the bold ones over them', () => {
    open(SMOOTHED);
    const { data, options } = FakePlot.last;
    expect(data).toHaveLength(5);
    expect(options.series.map(series => series.width)).toEqual([
      undefined,
      1,
      1,
      1.5,
      1.5
    ]);
  });

  it('tells metrics apart by dashes, and runs by colours', () => {
    const metrics = ['loss', 'loss', 'val', 'val'];
    const runIds = [1, 9, 1, 9];
    const { plot, onReading, host } = open({
      ...DATA,
      runIds,
      metrics,
      ys: [...DATA.ys, ...DATA.ys]
    });
    const dashes = FakePlot.last.options.series.map(({ dash }) => dash);
    expect(dashes[1]).toEqual(dashes[2]);
    expect(dashes[3]).toEqual(dashes[4]);
    expect(dashes[1]).not.toEqual(dashes[3]);
    host.dispatchEvent(new Event('pointerenter'));
    Object.assign(FakePlot.last.cursor, { left: 5, top: 5 });
    FakePlot.last.cursor.idxs = [0, 0, null, 0, null];
    FakePlot.last.fire('setCursor');
    expect(onReading.mock.lastCall[0].values).toEqual([
      { runId: 1, metric: 'loss', value: 3 },
      { runId: 1, metric: 'val', value: 3 }
    ]);
    const first = FakePlot.last;
    plot.update({
      ...DATA,
      runIds,
      metrics: [...metrics].reverse(),
      ys: DATA.ys
    });
    expect(FakePlot.last).not.toBe(first);
  });

  it('keeps its zoom when data come in, until it is reset', () => {
    const { plot, onZoom } = open();
    FakePlot.last.setScale('x', { min: 5, max: 15 });
    expect(onZoom).toHaveBeenLastCalledWith(true);
    plot.update({ ...DATA, x: [0, 10, 30] });
    expect(FakePlot.last.scales.x).toEqual({ min: 5, max: 15 });
    plot.resetZoom();
    expect(FakePlot.last.scales.x).toEqual({ min: 0, max: 30 });
    expect(onZoom).toHaveBeenLastCalledWith(false);
  });

  it('makes room for new data when it is not zoomed', () => {
    const { plot } = open();
    plot.update({ ...DATA, x: [0, 10, 30] });
    expect(FakePlot.last.scales.x).toEqual({ min: 0, max: 30 });
  });

  it('starts anew for other runs, and hides the same ones', () => {
    const { plot } = open();
    const first = FakePlot.last;
    plot.setHidden(new Set([2]));
    plot.update({ ...DATA, runIds: [2, 3] });
    expect(first.destroy).toHaveBeenCalled();
    expect(FakePlot.last).not.toBe(first);
    expect(FakePlot.last.series.map(series => series.show)).toEqual([
      true,
      false,
      true
    ]);
  });

  it('hides a run with its raw curve', () => {
    const { plot } = open(SMOOTHED);
    plot.setHidden(new Set([1]));
    const shown = () => FakePlot.last.series.map(series => series.show);
    expect(shown()).toEqual([true, false, true, false, true]);
    plot.setHidden(new Set());
    expect(shown()).toEqual([true, true, true, true, true]);
  });

  it('brings a run to the front', () => {
    const { plot } = open(SMOOTHED);
    plot.setFocus(2);
    expect(FakePlot.last.setSeries).toHaveBeenLastCalledWith(4, {
      focus: true
    });
    plot.setFocus(null);
    expect(FakePlot.last.setSeries).toHaveBeenLastCalledWith(null, {
      focus: true
    });
  });

  it('reads shown runs while the pointer is over it', () => {
    const { host, plot, onReading } = open(SMOOTHED);
    plot.setHidden(new Set([2]));
    const { last } = FakePlot;
    last.cursor = { left: 9, top: 5, idxs: [1, null, null, 1, 2] };
    last.fire('setCursor');
    expect(onReading).toHaveBeenLastCalledWith(null);
    host.dispatchEvent(new Event('pointerenter'));
    last.fire('setSeries', 3, { focus: true });
    last.fire('setCursor');
    expect(onReading).toHaveBeenLastCalledWith({
      x: 9,
      values: [{ runId: 1, metric: null, value: 2 }],
      nearest: 1,
      left: 49,
      top: 15
    });
    host.dispatchEvent(new Event('pointerleave'));
    expect(onReading).toHaveBeenLastCalledWith(null);
  });

  it('finds the points that the cursor reads', () => {
    open(SMOOTHED);
    const { last } = FakePlot;
    const dataIdx = last.options.cursor!.dataIdx!;
    const self = last as unknown as uPlot;
    expect(dataIdx(self, 1, 1, 10)).toBeNull();
    expect(dataIdx(self, 3, 1, 10)).toBe(1);
    expect(dataIdx(self, 4, 1, 11)).toBe(2);
  });

  it('spans what most runs have, of the values in view', () => {
    const fit = { min: 1, max: 4, outside: 1 };
    const { plot } = open({ ...DATA, fit });
    const range = FakePlot.last.options.scales!.y.range as unknown as (
      ...args: unknown[]
    ) => number[];
    expect(range(null, 0.5, 1e21)).toEqual([1, 4]);
    expect(range(null, 2, 3)).toEqual([2, 3]);
    expect(range(null, 1e20, 1e21)).toEqual([1e20, 1e21]);
    plot.update(DATA);
    expect(range(null, 0.5, 1e21)).toEqual([0.5, 1e21]);
    expect(range(null, null, null)).toEqual([null, null]);
  });

  it('grows, reads its colours again, and goes', () => {
    const { plot } = open();
    plot.setSize(700, 200);
    plot.recolour();
    plot.dispose();
    const { last } = FakePlot;
    expect(last.setSize).toHaveBeenCalledWith({ width: 700, height: 200 });
    expect(last.redraw).toHaveBeenCalled();
    expect(last.destroy).toHaveBeenCalled();
  });
});

describe('the options of a plot', () => {
  const ink = {
    lines: ['rgb(1, 0, 0)', 'rgb(2, 0, 0)'],
    faint: [],
    text: 'rgb(3, 0, 0)',
    grid: 'rgb(4, 0, 0)',
    font: '11px x'
  };
  const between = (min: number, max: number): [number, number] => [min, max];
  const parts = {
    ink: () => ink,
    fit: between,
    around: between,
    dataIdx: () => null,
    hooks: {}
  };

  function optionsFor(log: boolean) {
    const options = { axis: 'time', log, syncKey: 'all' } as IPlotOptions;
    return uplotOptions(DATA, options, parts);
  }

  it('share the cursor with other charts, not the zoom', () => {
    const { filters } = optionsFor(false).cursor!.sync!;
    const pub = filters!.pub as unknown as (type: string) => boolean;
    expect(['mousemove', 'mousedown', 'mouseup'].map(pub)).toEqual([
      true,
      false,
      false
    ]);
  });

  it('span just the values on a log scale', () => {
    const range = optionsFor(true).scales!.y.range as uPlot.Range.Function;
    const [min, max] = range({} as uPlot, 0.3, 2, 'y');
    expect(min).toBeCloseTo(0.278);
    expect(max).toBeCloseTo(2.16);
    expect(range({} as uPlot, NaN, NaN, 'y')).toEqual([0.1, 1]);
    expect(range({} as uPlot, 2, 2, 'y')).toEqual([1, 4]);
  });

  it('leave room around a single x', () => {
    const range = optionsFor(false).scales!.x.range as uPlot.Range.Function;
    expect(range({} as uPlot, 3, 3, 'x')).toEqual([2.5, 3.5]);
    expect(range({} as uPlot, 3, 4, 'x')).toEqual([3, 4]);
  });

  it('have dots as long as there is room for them', () => {
    const { show } = optionsFor(false).series[1].points!;
    const hasDots = show as (plot: unknown, series: number) => boolean;
    const many = Array.from({ length: 100 }, () => 1);
    const few = { width: 300, data: [[], [1, undefined, 2], [3]] };
    expect([hasDots(few, 1), hasDots(few, 2)]).toEqual([true, true]);
    const mixed = { width: 300, data: [[], [1, undefined, 2], many, [3]] };
    expect([1, 2, 3].map(i => hasDots(mixed, i))).toEqual([false, false, true]);
  });
});
