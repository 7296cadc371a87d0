import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { IOperationRequest } from '../tokens';
import { changesOf, IKnobChange, KnobReading } from './cloneChanges';
import { fieldsOf } from './cloneFields';
import { ICloneForm, IKnobInput, inputOf } from './formState';
import { IKnobField } from './knobFields';
import {
  isSame,
  KnobProblem,
  Parsed,
  parseKnob,
  parseList
} from './knobValues';
import { TorchPart } from './torchNames';

/** A form, read: what the engine is asked for, and what keeps it from being asked. */
export interface ICloneReading {
  fields: readonly IKnobField[];
  diff: readonly IKnobChange[];
  changes: ReadonlyPartialJSONObject;

  /** By field id; `NUM_RUNS` for the number of clones. */
  problems: ReadonlyMap<string, KnobProblem>;

  /** Whether clones are drawn, and their number has to be given. */
  isDrawn: boolean;

  /** How many clones there will be; 0 while there would only be the parent once more. */
  count: number;
}

/** Stands for the number of clones among the ids of fields. */
export const NUM_RUNS = 'num_runs';

export function readForm(form: ICloneForm): ICloneReading {
  const fields = fieldsOf(form);
  const problems = new Map<string, KnobProblem>();
  const readings: IKnobChange[] = [];
  for (const field of fields.filter(field => !field.secret)) {
    const reading = readField(field, inputOf(form, field));
    if ('problem' in reading) {
      problems.set(field.id, reading.problem);
    } else {
      readings.push({ field, from: field.parent, to: reading.value });
    }
  }
  const diff = readings.filter(isChange);
  const isDrawn = diff.some(({ to }) => 'range' in to);
  const runs = parseKnob({ kind: 'integer', minimum: 1 }, form.numRuns);
  if (isDrawn && 'problem' in runs) {
    problems.set(NUM_RUNS, { code: 'runs' });
  }
  const drawn = 'value' in runs ? Number(runs.value) : 1;
  // A warm start makes a run that differs also with the parent's own config.
  const least = diff.length || form.warmStart ? 1 : 0;
  return {
    fields,
    diff,
    changes: changesOf(form, readings, diff),
    problems,
    isDrawn,
    count: isDrawn ? drawn : diff.reduce(times, least)
  };
}

/**
 * What the engine is asked for.
 *
 * `seen` is left out: a clone is the same whatever its parent's status has become meanwhile.
 */
export function cloneRequest(
  runId: number,
  form: ICloneForm,
  reading: ICloneReading
): IOperationRequest {
  return {
    operation: 'clone',
    run_ids: [runId],
    changes: reading.changes,
    ...(reading.isDrawn ? { num_runs: reading.count } : {}),
    ...(form.warmStart ? { warm_start: true } : {}),
    ...(form.warmStart && form.continuePosition
      ? { continue_position: true }
      : {})
  };
}

/**
 * The fields that a message of the engine is about, by the path that it quotes: one, or of a whole
 * part of the config (as where an optimizer does not take its arguments) those that were changed.
 */
export function fieldsInMessage(
  message: string,
  { fields, diff }: Pick<ICloneReading, 'fields' | 'diff'>
): readonly IKnobField[] {
  const quoted = [...message.matchAll(/'([^']+)'/g)].map(match => match[1]);
  for (const path of quoted) {
    const bare = path.replace(/\[\d+\]$/, '');
    const found = fields.find(({ id }) => id === path || id === bare);
    if (found) {
      return [found];
    }
    const within = diff
      .map(({ field }) => field)
      .filter(({ id }) => id.startsWith(`${bare}.`));
    const named = fields.find(({ id }) => id === `${path}.name`);
    if (within.length || named) {
      return within.length ? within : [named!];
    }
  }
  return [];
}

function readField(field: IKnobField, input: IKnobInput): Parsed<KnobReading> {
  if (input.mode === 'range') {
    return readRange(field, input);
  }
  if (input.mode === 'one') {
    const one = parseKnob(field, input.text);
    if (isClassOf(field, 'optimizer') && 'value' in one && !one.value) {
      return { problem: { code: 'empty' } };
    }
    return 'problem' in one ? one : { value: { value: one.value } };
  }
  const parsed = parseList(field, input.list);
  if ('problem' in parsed) {
    return parsed;
  }
  // "No scheduler" is no name among others: the engine takes null in place of the whole part.
  if (isClassOf(field, 'lr_scheduler') && parsed.value.includes(null)) {
    return { problem: { code: 'empty' } };
  }
  const [first, ...others] = parsed.value;
  return { value: others.length ? { list: parsed.value } : { value: first } };
}

function readRange(field: IKnobField, input: IKnobInput): Parsed<KnobReading> {
  const whole = input.whole || field.kind === 'integer';
  const rules = { ...field, nullable: false };
  const bounds = whole ? { ...rules, kind: 'integer' as const } : rules;
  const start = parseKnob(bounds, input.start);
  const end = parseKnob(bounds, input.end);
  if ('problem' in start) {
    return start;
  }
  if ('problem' in end) {
    return end;
  }
  const range = { start: Number(start.value), end: Number(end.value) };
  if (range.start >= range.end) {
    return { problem: { code: 'range' } };
  }
  if (input.log && range.start <= 0) {
    return { problem: { code: 'log' } };
  }
  return { value: { range: { ...range, log: input.log, whole } } };
}

function isClassOf(field: IKnobField, part: TorchPart): boolean {
  return field.id === `train.${part}.name`;
}

function isChange({ from, to }: IKnobChange): boolean {
  return !('value' in to) || !isSame(to.value, from);
}

function times(count: number, { to }: IKnobChange): number {
  return 'list' in to ? count * to.list.length : count;
}
