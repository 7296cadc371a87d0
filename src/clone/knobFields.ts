import { IRunConfig, KnobValue } from '../tokens';
import { isDict, isMasked, IKnobRules } from './knobValues';
import { isWholeArgument } from './torchNames';

/** One knob of the form. */
export interface IKnobField extends IKnobRules {
  /** Where it stands in the config. */
  readonly path: readonly string[];

  /** The path with dots, as the engine's messages name it. */
  readonly id: string;

  /** What the parent has; undefined: it has no such knob. */
  readonly parent: KnobValue | undefined;

  /** Hidden by the server, or part of a value that is: shown, never sent. */
  readonly secret: boolean;
}

const TRAINING_RULES: { [key: string]: IKnobRules } = {
  epochs: { kind: 'integer', minimum: 1 },
  batch_size: { kind: 'integer', minimum: 1 },
  gradient_accumulation_steps: { kind: 'integer', minimum: 1 },
  gradient_clip_norm: { kind: 'number', nullable: true, minimum: null },
  precision: { kind: 'choice', choices: ['fp32', 'bf16', 'fp16'] }
};

const INTERVAL: IKnobRules = { kind: 'choice', choices: ['epoch', 'step'] };

export function makeField(
  path: readonly string[],
  rules: IKnobRules,
  parent: KnobValue | undefined,
  secret = isMasked(parent)
): IKnobField {
  return { ...rules, path, id: path.join('.'), parent, secret };
}

/**
 * What a knob is called: its key, the part that a class name is for, or the keys down to it.
 */
export function fieldName(field: IKnobField): string {
  const { path } = field;
  if (isClassName(field)) {
    return path[1];
  }
  if (path[0] === 'user_knobs') {
    return path.slice(1).join('.');
  }
  return path[2] === 'args' ? path.slice(3).join('.') : path[path.length - 1];
}

/** Whether a field is the name of the optimizer or of the scheduler. */
export function isClassName(field: IKnobField): boolean {
  const { path } = field;
  return path[0] === 'train' && path.length === 3 && path[2] === 'name';
}

/**
 * The fields of the training keys that are plain values.
 */
export function trainingFields(config: IRunConfig): IKnobField[] {
  return Object.keys(TRAINING_RULES).map(key =>
    makeField(['train', key], TRAINING_RULES[key], config.train[key])
  );
}

export function intervalField(parent: KnobValue | undefined): IKnobField {
  return makeField(['train', 'lr_scheduler', 'interval'], INTERVAL, parent);
}

/**
 * The fields of a knob that is typed by its value: dicts have one per key.
 */
export function valueFields(
  path: readonly string[],
  value: KnobValue | undefined,
  secret = isMasked(value)
): IKnobField[] {
  if (isDict(value) && Object.keys(value).length) {
    return Object.keys(value).flatMap(key =>
      valueFields([...path, key], value[key], secret)
    );
  }
  return [makeField(path, rulesFor(path, value), value, secret)];
}

/**
 * The rules of a knob of which only a value is known.
 */
export function rulesFor(
  path: readonly string[],
  value: KnobValue | undefined
): IKnobRules {
  switch (typeof value) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'string':
      return { kind: 'text' };
    case 'number':
      return { kind: isWhole(path, value) ? 'integer' : 'number' };
    default:
      return { kind: 'json' };
  }
}

/** JSON does not tell 1.0 from 1, and 0 and 1 are as often shares (dropout) as counts. */
function isWhole(path: readonly string[], value: number): boolean {
  if (path[0] === 'train') {
    return isWholeArgument(path[path.length - 1]);
  }
  return Number.isInteger(value) && value > 1;
}
