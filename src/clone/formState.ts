import { JSONExt } from '@lumino/coreutils';

import { IRunConfig, KnobValue } from '../tokens';
import { IKnobField } from './knobFields';
import { fieldText, parseKnob } from './knobValues';

/** Whether a knob gets one value, one per clone out of a list, or draws from an interval. */
export type KnobMode = 'one' | 'list' | 'range';

/** What the user has entered for one knob. Modes keep their texts while another one is shown. */
export interface IKnobInput {
  readonly mode: KnobMode;
  readonly text: string;
  readonly list: string;
  readonly start: string;
  readonly end: string;
  readonly log: boolean;
  readonly whole: boolean;
}

/** A knob that the parent does not have. */
interface IAddedKnob {
  readonly path: readonly string[];
  readonly value: KnobValue;
}

/** The dialog's state: the parent, and what the user makes of it. */
export interface ICloneForm {
  readonly parent: IRunConfig;

  /** By field id; fields that were never touched are left out. */
  readonly inputs: { readonly [id: string]: IKnobInput };
  readonly added: readonly IAddedKnob[];

  /** Ids of arguments that a class of another name is to do without. */
  readonly removed: readonly string[];

  /** How many clones to draw where there is a range. */
  readonly numRuns: string;
  readonly warmStart: boolean;

  /** Whether a warm start goes on where the parent stands. */
  readonly continuePosition: boolean;
}

const DEFAULT_RUNS = '4';

export function openForm(parent: IRunConfig): ICloneForm {
  return {
    parent,
    inputs: {},
    added: [],
    removed: [],
    numRuns: DEFAULT_RUNS,
    warmStart: false,
    continuePosition: false
  };
}

/**
 * What a field holds: what was entered, else what the parent has.
 */
export function inputOf(form: ICloneForm, field: IKnobField): IKnobInput {
  return form.inputs[field.id] ?? untouched(form, field);
}

function untouched(form: ICloneForm, field: IKnobField): IKnobInput {
  const added = form.added.find(knob => knob.path.join('.') === field.id);
  const text = fieldText(field, added ? added.value : field.parent);
  const list = field.kind === 'json' ? `[${text}]` : text;
  const whole = field.kind === 'integer';
  return { mode: 'one', text, list, start: '', end: '', log: false, whole };
}

export function setInput(
  form: ICloneForm,
  field: IKnobField,
  change: Partial<IKnobInput>
): ICloneForm {
  const input = { ...inputOf(form, field), ...change };
  const inputs = { ...form.inputs, [field.id]: input };
  // Typed back to what it was, a field is as good as untouched.
  if (JSONExt.deepEqual({ ...input }, { ...untouched(form, field) })) {
    delete inputs[field.id];
  }
  return { ...form, inputs };
}

/**
 * Enter a knob in another mode, starting from what it has in the present one.
 */
export function setMode(
  form: ICloneForm,
  field: IKnobField,
  mode: KnobMode
): ICloneForm {
  const input = inputOf(form, field);
  const before = untouched(form, field);
  if (mode === 'list' && input.list === before.list) {
    return setInput(form, field, { mode, list: listText(field, input.text) });
  }
  if (mode === 'range' && !input.start && !input.end) {
    return setInput(form, field, { mode, ...rangeAround(field, input.text) });
  }
  return setInput(form, field, { mode });
}

function listText(field: IKnobField, text: string): string {
  if (field.kind === 'boolean') {
    return 'true, false';
  }
  return field.kind === 'json' ? `[${text}]` : text;
}

/** An interval to edit: up to twice a count, an order of magnitude around any other number. */
function rangeAround(field: IKnobField, text: string): Partial<IKnobInput> {
  const parsed = parseKnob({ ...field, nullable: false }, text);
  const value = 'value' in parsed ? Number(parsed.value) : 0;
  if (!(value > 0)) {
    return {};
  }
  if (field.kind === 'integer') {
    return { start: `${value}`, end: `${2 * value}` };
  }
  const [start, end] = [value / 10, 10 * value].map(
    bound => `${Number(bound.toPrecision(12))}`
  );
  return { start, end, log: true };
}

/**
 * Give a field the parent's value again; a knob that the parent lacks goes.
 */
export function revert(form: ICloneForm, field: IKnobField): ICloneForm {
  const inputs = { ...form.inputs };
  delete inputs[field.id];
  return {
    ...form,
    inputs,
    added: form.added.filter(knob => knob.path.join('.') !== field.id)
  };
}

export function addKnob(form: ICloneForm, knob: IAddedKnob): ICloneForm {
  const id = knob.path.join('.');
  return {
    ...form,
    added: [...form.added, knob],
    removed: form.removed.filter(other => other !== id)
  };
}

/**
 * Leave an argument out of a class that the parent does not have.
 */
export function removeArgument(
  form: ICloneForm,
  field: IKnobField
): ICloneForm {
  const without = revert(form, field);
  return { ...without, removed: [...without.removed, field.id] };
}
