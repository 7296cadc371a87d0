import { IRunConfig, KnobValue } from '../tokens';

/**
 * A config as values by dotted path, as knobs are named.
 */
export function flattenConfig(config: IRunConfig): Map<string, KnobValue> {
  const found = new Map<string, KnobValue>();
  const add = (path: string, value: KnobValue): void => {
    const entries = isPlainObject(value) ? Object.entries(value) : [];
    if (!entries.length) {
      found.set(path, value);
    }
    entries.forEach(([key, inner]) => add(`${path}.${key}`, inner));
  };
  Object.entries(config.train).forEach(([key, value]) =>
    add(`train.${key}`, value)
  );
  Object.entries(config.user_knobs).forEach(([key, value]) =>
    add(`user_knobs.${key}`, value)
  );
  add('named_metrics', config.named_metrics);
  if (config.fsdp_layer_cls.length) {
    add('fsdp_layer_cls', config.fsdp_layer_cls);
  }
  return found;
}

function isPlainObject(
  value: KnobValue
): value is { [key: string]: KnobValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
