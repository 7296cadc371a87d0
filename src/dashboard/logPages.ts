import { IPage, IPageQuery } from '../tokens';

/** A line of any log. */
export interface ILogLine {
  id: number;
  time: number;
  run_id: number | null;
}

/** Lines that a question asks for. */
const PAGE = 200;

/** Lines to keep while following; older ones can be loaded again. */
const MOST_LINES = 5000;

/**
 * The lines of a log that were read so far, without a hole between the first and the last.
 */
export class LogPages<T extends ILogLine> {
  constructor(private load: (query: IPageQuery) => Promise<IPage<T>>) {}

  /** Oldest first. A new array whenever it changed. */
  get lines(): readonly T[] {
    return this._lines;
  }

  /** Whether there are older lines than the first. */
  get moreBefore(): boolean {
    return this._moreBefore;
  }

  /** Read what was written since: the newest page at first, then all after the last line. */
  async loadNewer(): Promise<void> {
    if (!this._lines.length) {
      const page = await this.load({ limit: PAGE });
      this._lines = page.items;
      this._moreBefore = page.more_before;
      return;
    }
    let more = true;
    while (more) {
      const after = this._lines[this._lines.length - 1].id;
      const page = await this.load({ after, limit: PAGE });
      this._append(page.items);
      more = page.more_after && page.items.length > 0;
    }
  }

  async loadOlder(): Promise<void> {
    const before = this._lines[0]?.id;
    if (before === undefined) {
      return;
    }
    const page = await this.load({ before, limit: PAGE });
    const older = page.items.filter(line => line.id < this._lines[0].id);
    this._lines = [...older, ...this._lines];
    this._moreBefore = page.more_before;
  }

  private _append(items: readonly T[]): void {
    const last = this._lines[this._lines.length - 1].id;
    const newer = items.filter(line => line.id > last);
    if (!newer.length) {
      return;
    }
    const all = [...this._lines, ...newer];
    this._lines = all.slice(-MOST_LINES);
    this._moreBefore = this._moreBefore || all.length > MOST_LINES;
  }

  private _lines: readonly T[] = [];
  private _moreBefore = false;
}
