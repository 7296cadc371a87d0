import { IDisposable } from '@lumino/disposable';

/**
 * Fetches again what has moved: at most every `interval` milliseconds, one question at a time, and
 * only while somebody looks.
 */
export class Refresher implements IDisposable {
  constructor(
    private task: () => Promise<void>,
    private interval: number
  ) {}

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Whether somebody looks; what moved meanwhile is fetched when they look again. */
  get active(): boolean {
    return this._active;
  }

  set active(value: boolean) {
    this._active = value;
    this._schedule();
  }

  /** Something moved. */
  poke(): void {
    this._wanted = true;
    this._schedule();
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._timer);
  }

  private _schedule(): void {
    const mayRun = this._active && this._wanted && !this._busy;
    if (!mayRun || this._isDisposed || this._timer !== undefined) {
      return;
    }
    const wait = Math.max(0, this._last + this.interval - Date.now());
    this._timer = setTimeout(() => {
      this._timer = undefined;
      if (this._active && !this._isDisposed) {
        void this._run();
      }
    }, wait);
  }

  private async _run(): Promise<void> {
    this._wanted = false;
    this._busy = true;
    this._last = Date.now();
    try {
      await this.task();
    } finally {
      this._busy = false;
      this._schedule();
    }
  }

  private _active = false;
  private _wanted = true;
  private _busy = false;
  private _isDisposed = false;
  private _last = -Infinity;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
