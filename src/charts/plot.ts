// The one module that imports uPlot. Nothing imports it but `load.ts`, when a chart is shown.
import uPlot from 'uplot';

import { nearestPoint } from './nearest';
import { IInk, readInk, uplotOptions } from './plotOptions';
import { IPlot, IPlotData, IPlotOptions } from './types';

interface ISize {
  width: number;
  height: number;
}

/** How far off a curve's end the cursor still reads it, in pixels. */
const SLACK = 12;

/**
 * A chart drawn by uPlot. uPlot's series are first the faint raw curves, if any, then the bold ones.
 */
class Plot implements IPlot {
  constructor(
    private host: HTMLElement,
    private data: IPlotData,
    private options: IPlotOptions,
    private size: ISize
  ) {
    this._ink = readInk(host, data.runIds);
    this._plot = this._create();
    host.addEventListener('pointerenter', this._onEnter);
    host.addEventListener('pointerleave', this._onLeave);
  }

  update(data: IPlotData): void {
    const isSame =
      data.runIds.join() === this.data.runIds.join() &&
      data.metrics?.join('\n') === this.data.metrics?.join('\n') &&
      (data.raw === null) === (this.data.raw === null);
    const zoom = this._zoom();
    this.data = data;
    if (!isSame) {
      this._plot.destroy();
      this._ink = readInk(this.host, data.runIds);
      this._plot = this._create();
      this.setHidden(this._hidden);
    }
    this._plot.batch(() => {
      this._plot.setData(this._aligned(), zoom === null);
      if (zoom) {
        this._plot.setScale('x', zoom);
      }
    });
  }

  setHidden(hidden: ReadonlySet<number>): void {
    this._hidden = hidden;
    this._plot.batch(() => {
      this._plot.series.forEach((series, index) => {
        const show = !hidden.has(this._runOf(index));
        if (index > 0 && series.show !== show) {
          this._plot.setSeries(index, { show });
        }
      });
    });
  }

  setFocus(runId: number | null): void {
    const at = runId === null ? -1 : this.data.runIds.indexOf(runId);
    const index = at < 0 ? null : 1 + this._rawCount() + at;
    this._plot.setSeries(index, { focus: true });
  }

  setSize(width: number, height: number): void {
    this.size = { width, height };
    this._plot.setSize(this.size);
  }

  recolour(): void {
    this._ink = readInk(this.host, this.data.runIds);
    this._plot.redraw(false, true);
  }

  resetZoom(): void {
    this._plot.setData(this._aligned(), true);
  }

  dispose(): void {
    this.host.removeEventListener('pointerenter', this._onEnter);
    this.host.removeEventListener('pointerleave', this._onLeave);
    this._plot.destroy();
  }

  private _create(): uPlot {
    const options = uplotOptions(this.data, this.options, {
      ink: () => this._ink,
      fit: (min, max) => this._fit(min, max),
      around: (min, max) =>
        // Without any value, uPlot has its own way.
        min === null || max === null
          ? [min, max]
          : uPlot.rangeNum(min, max, 0.1, true),
      dataIdx: (index, at, x) => this._dataIdx(index, at, x),
      hooks: {
        setCursor: [() => this._read()],
        setScale: [(_, key) => key === 'x' && this._tellZoom()],
        setSeries: [
          (_, index, opts) => {
            if ('focus' in opts) {
              this._nearest = index ? this._runOf(index) : null;
            }
          }
        ]
      }
    });
    const all = { ...options, ...this.size };
    return new uPlot(all, this._aligned(), this.host);
  }

  private _aligned(): uPlot.AlignedData {
    return [this.data.x, ...(this.data.raw ?? []), ...this.data.ys];
  }

  /** Of the values in view, those that most curves have. */
  private _fit(min: number, max: number): [number, number] {
    const { fit } = this.data;
    if (!fit) {
      return [min, max];
    }
    const from = Math.max(min, fit.min);
    const to = Math.min(max, fit.max);
    return from < to ? [from, to] : [min, max];
  }

  private _rawCount(): number {
    return this.data.raw?.length ?? 0;
  }

  private _runOf(index: number): number {
    return this.data.runIds[(index - 1) % this.data.runIds.length];
  }

  private _dataIdx(index: number, at: number, x: number): number | null {
    if (index === 0) {
      return at;
    }
    const isRaw = index <= this._rawCount();
    const ys = this.data.ys[index - 1 - this._rawCount()];
    if (isRaw || !ys || !this._plot) {
      return null;
    }
    const { min = 0, max = 0 } = this._plot.scales.x;
    const slack = (SLACK * (max - min)) / Math.max(1, this.size.width);
    return nearestPoint(this.data.x, ys, at, x, slack);
  }

  private _read(): void {
    const { left = -1, top = -1, idxs = [] } = this._plot.cursor;
    if (!this._isOver || left < 0) {
      this.options.onReading(null);
      return;
    }
    const values = this.data.runIds.flatMap((runId, i) => {
      const at = idxs[1 + this._rawCount() + i] ?? null;
      const value = at === null ? null : this.data.ys[i][at];
      const isShown = !this._hidden.has(runId);
      const metric = this.data.metrics?.[i] ?? null;
      return isShown && typeof value === 'number'
        ? [{ runId, metric, value }]
        : [];
    });
    const over = this._plot.over;
    this.options.onReading({
      x: this._plot.posToVal(left, 'x'),
      values,
      nearest: this._nearest,
      left: left + over.offsetLeft,
      top: top + over.offsetTop
    });
  }

  /** The stretch of x that the user chose; null where all is shown. */
  private _zoom(): { min: number; max: number } | null {
    const { min, max } = this._plot.scales.x;
    const xs = this._plot.data[0];
    if (min === undefined || max === undefined || xs.length < 2) {
      return null;
    }
    const isAll = min <= xs[0] && max >= xs[xs.length - 1];
    return isAll ? null : { min, max };
  }

  private _tellZoom(): void {
    // uPlot sets its scales once before its constructor returns.
    const zoomed = this._plot !== undefined && this._zoom() !== null;
    if (zoomed !== this._zoomed) {
      this._zoomed = zoomed;
      this.options.onZoom(zoomed);
    }
  }

  private _onEnter = (): void => {
    this._isOver = true;
  };

  private _onLeave = (): void => {
    this._isOver = false;
    this.options.onReading(null);
  };

  private _plot: uPlot;
  private _ink: IInk;
  private _hidden: ReadonlySet<number> = new Set();
  private _nearest: number | null = null;
  private _isOver = false;
  private _zoomed = false;
}

export function createPlot(
  host: HTMLElement,
  data: IPlotData,
  options: IPlotOptions,
  size: ISize
): IPlot {
  return new Plot(host, data, options, size);
}
