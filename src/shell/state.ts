import { IStateDB } from '@jupyterlab/statedb';
import { JSONExt, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Debouncer } from '@lumino/polling';

const SAVE_MS = 500;

/**
 * What a view keeps from one page load to the next. A page without a state database forgets.
 */
export class KeptState {
  constructor(
    private readonly _stateDB: IStateDB | null,
    private readonly _id: string
  ) {}

  /**
   * What was kept last; nothing where there is nothing to be had.
   */
  async fetch(): Promise<ReadonlyPartialJSONObject> {
    try {
      const value = await this._stateDB?.fetch(this._id);
      return value && JSONExt.isObject(value) ? value : {};
    } catch (error) {
      console.warn(`The state ${this._id} cannot be loaded.`, error);
      return {};
    }
  }

  /**
   * Keep a state, soon: it changes with every key of a filter.
   */
  save(state: object): void {
    this._latest = state;
    void this._saver.invoke();
  }

  private async _save(): Promise<void> {
    try {
      await this._stateDB?.save(this._id, { ...this._latest });
    } catch (error) {
      console.warn(`The state ${this._id} cannot be kept.`, error);
    }
  }

  private _latest: object = {};
  private readonly _saver = new Debouncer(() => this._save(), SAVE_MS);
}
