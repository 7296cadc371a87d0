import {
  JSONExt,
  PartialJSONObject,
  ReadonlyPartialJSONObject
} from '@lumino/coreutils';

import { IRunConfig, KnobValue } from '../tokens';
import { isTrial, keepsName, nameField, partOf } from './cloneFields';
import { ICloneForm } from './formState';
import { IKnobField } from './knobFields';
import { TorchPart } from './torchNames';

/** What was entered for a knob: a value, or several that make several clones. */
export type KnobReading =
  | { value: KnobValue }
  | { list: KnobValue[] }
  | { range: { start: number; end: number; log: boolean; whole: boolean } };

/** A line of the diff against the parent; undefined where one of them lacks the knob. */
export interface IKnobChange {
  field: IKnobField;
  from: KnobValue | undefined;
  to: KnobReading;
}

const PARTS: readonly TorchPart[] = ['optimizer', 'lr_scheduler'];

function encode(reading: KnobReading): KnobValue {
  if ('value' in reading) {
    return reading.value;
  }
  if ('list' in reading) {
    return { $list: reading.list } as KnobValue;
  }
  const { start, end, log, whole } = reading.range;
  const dtype = whole ? 'int' : 'float';
  return { $range: { start, end, dtype, ...(log ? { log } : {}) } };
}

/**
 * The partial config that makes the clone of the parent: what differs, and what the engine does
 * not merge (a class of another name, a knob that is a dict) as a whole.
 */
export function changesOf(
  form: ICloneForm,
  readings: readonly IKnobChange[],
  diff: readonly IKnobChange[]
): ReadonlyPartialJSONObject {
  const train: PartialJSONObject = {};
  for (const { field, to } of diff) {
    if (field.path[0] === 'train' && field.path.length === 2) {
      train[field.path[1]] = copy(encode(to));
    }
  }
  for (const part of isTrial(form.parent) ? [] : PARTS) {
    const value = partChanges(form, part, readings, diff);
    if (value !== undefined) {
      train[part] = copy(value);
    }
  }
  const userKnobs = units(form.parent, ['user_knobs'], diff);
  const metrics = diff.find(({ field }) => field.id === 'named_metrics');
  return {
    ...(Object.keys(train).length ? { train } : {}),
    ...(Object.keys(userKnobs).length ? { user_knobs: userKnobs } : {}),
    ...(metrics ? { named_metrics: encode(metrics.to) } : {})
  };
}

function partChanges(
  form: ICloneForm,
  part: TorchPart,
  readings: readonly IKnobChange[],
  diff: readonly IKnobChange[]
): KnobValue | undefined {
  const stays = keepsName(form, part);
  const nameId = nameField(form.parent, part).id;
  const name = readings.find(({ field }) => field.id === nameId);
  if (!name) {
    return undefined;
  }
  if ('value' in name.to && name.to.value === null) {
    return partOf(form.parent, part) ? null : undefined;
  }
  // An engine that is told the same name merges the arguments, so the others are not repeated.
  const sent = stays ? diff : readings;
  const args = units(form.parent, ['train', part, 'args'], sent);
  const interval = sent.find(({ field }) => field.path[2] === 'interval');
  const changes = {
    ...(stays ? {} : { name: encode(name.to) }),
    ...(Object.keys(args).length || !stays ? { args } : {}),
    ...(interval && part === 'lr_scheduler'
      ? { interval: encode(interval.to) }
      : {})
  };
  return Object.keys(changes).length ? changes : undefined;
}

/**
 * The knobs at a place of the config, by key; of a knob that is a dict the whole dict.
 */
function units(
  parent: IRunConfig,
  place: readonly string[],
  readings: readonly IKnobChange[]
): PartialJSONObject {
  const found: PartialJSONObject = {};
  for (const { field, to } of readings) {
    const [key, ...inner] = field.path.slice(place.length);
    if (!isWithin(field, place)) {
      continue;
    }
    if (!inner.length) {
      found[key] = copy(encode(to));
      continue;
    }
    found[key] ??= copy(valueAt(parent, [...place, key]));
    const last = inner[inner.length - 1];
    const dict = inner
      .slice(0, -1)
      .reduce<PartialJSONObject>(
        (node, part) => node[part] as PartialJSONObject,
        found[key] as PartialJSONObject
      );
    dict[last] = copy(encode(to));
  }
  return found;
}

function isWithin(field: IKnobField, place: readonly string[]): boolean {
  return (
    field.path.length > place.length &&
    place.every((part, index) => field.path[index] === part)
  );
}

function valueAt(parent: IRunConfig, path: readonly string[]): KnobValue {
  return path.reduce<KnobValue>(
    (node, key) => (node as { [key: string]: KnobValue })[key],
    parent as unknown as KnobValue
  );
}

function copy(value: KnobValue): PartialJSONObject[string] {
  return JSONExt.deepCopy(value as PartialJSONObject);
}
