import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal } from '@lumino/signaling';

import schema from '../../../schema/plugin.json';
import { DEFAULT_SETTINGS, LabSettings, SETTINGS_ID } from '../settings';

function registryWith(composite: object) {
  const settings = {
    composite,
    set: jest.fn(async () => undefined),
    changed: null as unknown as Signal<object, void>
  };
  settings.changed = new Signal<object, void>(settings);
  const load = jest.fn(async () => settings);
  return {
    settings,
    load,
    registry: { load } as unknown as ISettingRegistry
  };
}

describe('LabSettings', () => {
  let settings: LabSettings;

  afterEach(() => settings?.dispose());

  it('has the defaults of the schema', () => {
    const defaults = Object.entries(schema.properties).map(
      ([name, property]) => [name, property.default]
    );
    expect(Object.fromEntries(defaults)).toEqual(DEFAULT_SETTINGS);
  });

  it('has the defaults until the settings of the user are in', async () => {
    const { registry, load } = registryWith({ refreshInterval: 5 });
    settings = new LabSettings(registry);
    expect(settings.values).toEqual(DEFAULT_SETTINGS);
    await settings.ready;
    expect(load).toHaveBeenCalledWith(SETTINGS_ID);
    expect(settings.values).toEqual({
      ...DEFAULT_SETTINGS,
      refreshInterval: 5
    });
  });

  it('follows what the user changes, until it is disposed', async () => {
    const fake = registryWith({});
    settings = new LabSettings(fake.registry);
    await settings.ready;
    const changed = jest.fn();
    settings.changed.connect(changed);
    fake.settings.composite = { notifyWhenFinished: false };
    fake.settings.changed.emit();
    expect(settings.values.notifyWhenFinished).toBe(false);
    expect(changed).toHaveBeenCalledTimes(1);
    settings.dispose();
    fake.settings.composite = {};
    fake.settings.changed.emit();
    expect(settings.values.notifyWhenFinished).toBe(false);
  });

  it('saves a change', async () => {
    const fake = registryWith({});
    settings = new LabSettings(fake.registry);
    await settings.set('desktopNotifications', true);
    expect(fake.settings.set).toHaveBeenCalledWith(
      'desktopNotifications',
      true
    );
  });

  it('does without a registry', async () => {
    settings = new LabSettings(null);
    await settings.set('desktopNotifications', true);
    expect(settings.values).toEqual({
      ...DEFAULT_SETTINGS,
      desktopNotifications: true
    });
  });

  it('has the defaults where nothing can be loaded', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const load = () => Promise.reject(new Error('No schema.'));
    settings = new LabSettings({ load } as unknown as ISettingRegistry);
    await settings.ready;
    expect(settings.values).toEqual(DEFAULT_SETTINGS);
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe('the schema', () => {
  it('says of each setting what it is', () => {
    for (const property of Object.values(schema.properties)) {
      expect(property).toMatchObject({
        title: expect.any(String),
        description: expect.any(String)
      });
    }
    expect(schema.additionalProperties).toBe(false);
  });
});
