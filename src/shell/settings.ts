import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { PartialJSONValue } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/** Id of schema/plugin.json: the package and the file's name. */
export const SETTINGS_ID = 'rapidfire-lab:plugin';

/**
 * What users can set, in the words of schema/plugin.json.
 */
interface ISettingValues {
  /** Seconds between two questions to the server while something trains. */
  refreshInterval: number;

  /** Whether to ask, seldom, while the page is hidden. */
  refreshIfHidden: boolean;
  notifyWhenFinished: boolean;
  desktopNotifications: boolean;

  /** The metric to start with; empty for the most telling one. */
  keyMetric: string;
  showStatusBarItem: boolean;
}

/** The defaults of schema/plugin.json, for when it cannot be loaded. */
export const DEFAULT_SETTINGS: Readonly<ISettingValues> = {
  refreshInterval: 1,
  refreshIfHidden: true,
  notifyWhenFinished: true,
  desktopNotifications: false,
  keyMetric: '',
  showStatusBarItem: true
};

/**
 * The user's settings: the defaults at once, the user's own as soon as they are there.
 *
 * Nothing has to wait for them, and nothing fails where they cannot be loaded.
 */
export class LabSettings implements IDisposable {
  constructor(registry: ISettingRegistry | null) {
    this.ready = registry ? this._load(registry) : Promise.resolve();
  }

  /** Resolves when the user's settings are in, or cannot be had. Never rejects. */
  readonly ready: Promise<void>;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get values(): Readonly<ISettingValues> {
    return this._values;
  }

  /**
   * Change one of the user's settings; for this page only where they cannot be saved.
   */
  async set<K extends keyof ISettingValues>(
    name: K,
    value: ISettingValues[K] & PartialJSONValue
  ): Promise<void> {
    await this.ready;
    if (this._settings) {
      await this._settings.set(name, value);
    } else {
      this._update({ ...this._values, [name]: value });
    }
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._settings?.changed.disconnect(this._onChanged, this);
    Signal.clearData(this);
  }

  private async _load(registry: ISettingRegistry): Promise<void> {
    try {
      const settings = await registry.load(SETTINGS_ID);
      if (this._isDisposed) {
        return;
      }
      this._settings = settings;
      settings.changed.connect(this._onChanged, this);
      this._onChanged(settings);
    } catch (error) {
      console.warn(`The settings ${SETTINGS_ID} cannot be loaded.`, error);
    }
  }

  private _onChanged(settings: ISettingRegistry.ISettings): void {
    // The registry has checked them against the schema.
    this._update({ ...DEFAULT_SETTINGS, ...settings.composite });
  }

  private _update(values: ISettingValues): void {
    this._values = values;
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _settings: ISettingRegistry.ISettings | null = null;
  private _values: ISettingValues = { ...DEFAULT_SETTINGS };
}
