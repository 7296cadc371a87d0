import { IRun, IRunConfig, KnobValue } from '../tokens';
import { ICloneForm, inputOf } from './formState';
import {
  IKnobField,
  intervalField,
  makeField,
  rulesFor,
  trainingFields,
  valueFields
} from './knobFields';
import { fieldText, isDict, parseList } from './knobValues';
import {
  isWholeArgument,
  requiredArguments,
  takesArgument,
  TorchPart
} from './torchNames';

/** All fields of a form, in the order of the sections. */
export function fieldsOf(form: ICloneForm): IKnobField[] {
  if (isTrial(form.parent)) {
    return knobFields(form);
  }
  return [
    ...partFields(form, 'optimizer'),
    ...knobFields(form),
    ...trainingFields(form.parent),
    ...partFields(form, 'lr_scheduler'),
    metricsField(form.parent)
  ];
}

/** Whether a config is that of a trial of a model template, which has the knobs of its model and no others. */
export function isTrial(config: IRunConfig): boolean {
  return !Object.keys(config.train).length;
}

export function nameField(parent: IRunConfig, part: TorchPart): IKnobField {
  const nullable = part === 'lr_scheduler';
  const path = ['train', part, 'name'];
  const rules = { kind: 'text', nullable } as const;
  return makeField(path, rules, partOf(parent, part)?.name ?? null);
}

/**
 * The fields of the optimizer or scheduler: its name, and what goes with the name that it has now.
 */
function partFields(form: ICloneForm, part: TorchPart): IKnobField[] {
  const name = nameField(form.parent, part);
  if (!namesOf(form, part).length) {
    return [name];
  }
  const interval = partOf(form.parent, part)?.interval;
  return [
    name,
    ...(part === 'lr_scheduler' ? [intervalField(interval ?? 'epoch')] : []),
    ...argumentFields(form, part)
  ];
}

/** The names that the optimizer or scheduler is to have; none without a scheduler. */
export function namesOf(form: ICloneForm, part: TorchPart): string[] {
  const field = nameField(form.parent, part);
  const input = inputOf(form, field);
  const parsed = parseList(
    field,
    input.mode === 'one' ? input.text : input.list
  );
  return 'value' in parsed
    ? parsed.value.filter((name): name is string => !!name)
    : [];
}

/** Whether the parent's optimizer or scheduler stays, and with it all its arguments. */
export function keepsName(form: ICloneForm, part: TorchPart): boolean {
  const [name, ...others] = namesOf(form, part);
  const parent = partOf(form.parent, part);
  return !others.length && (parent?.name ?? undefined) === name;
}

/**
 * Arguments of the parent that do not come along to a class of another name.
 */
export function droppedArguments(form: ICloneForm, part: TorchPart): string[] {
  if (!namesOf(form, part).length) {
    return [];
  }
  const shown = argumentFields(form, part).map(field => field.path[3]);
  return Object.keys(argsOf(form.parent, part)).filter(
    key => !shown.includes(key)
  );
}

export function partOf(
  config: IRunConfig,
  part: TorchPart
): { [key: string]: KnobValue } | null {
  const value = config.train[part];
  return isDict(value) ? value : null;
}

function argsOf(
  config: IRunConfig,
  part: TorchPart
): { [key: string]: KnobValue } {
  const args = partOf(config, part)?.args;
  return isDict(args) ? args : {};
}

function argumentFields(form: ICloneForm, part: TorchPart): IKnobField[] {
  const names = namesOf(form, part);
  const parent = argsOf(form.parent, part);
  const path = ['train', part, 'args'];
  const stays = keepsName(form, part);
  const suits = (key: string) =>
    stays ||
    (names.every(name => takesArgument(part, name, key)) &&
      !form.removed.includes([...path, key].join('.')));
  const kept = Object.keys(parent)
    .filter(suits)
    .flatMap(key => valueFields([...path, key], parent[key]));
  const taken = new Set(kept.map(field => field.path[3]));
  const required = (stays ? [] : names)
    .flatMap(name => requiredArguments(part, name))
    .filter((key, index, all) => all.indexOf(key) === index && !taken.has(key))
    .map(key => argumentField(path, key));
  const added = addedFields(form, path).filter(
    field => !required.some(other => other.id === field.id)
  );
  return [...kept, ...required, ...added];
}

function argumentField(path: readonly string[], key: string): IKnobField {
  const isList = key === 'milestones';
  const kind = isList ? 'json' : isWholeArgument(key) ? 'integer' : 'number';
  return makeField([...path, key], { kind }, undefined);
}

function knobFields(form: ICloneForm): IKnobField[] {
  const knobs = form.parent.user_knobs;
  return [
    ...Object.keys(knobs).flatMap(key =>
      valueFields(['user_knobs', key], knobs[key])
    ),
    ...addedFields(form, ['user_knobs'])
  ];
}

function addedFields(form: ICloneForm, place: readonly string[]): IKnobField[] {
  return form.added
    .filter(({ path }) => path.slice(0, -1).join('.') === place.join('.'))
    .map(({ path, value }) =>
      makeField(path, rulesFor(path, value), undefined)
    );
}

function metricsField(parent: IRunConfig): IKnobField {
  return makeField(['named_metrics'], { kind: 'names' }, parent.named_metrics);
}

/**
 * The field that users change most: the learning rate, else the first of all.
 */
export function favouriteField(fields: readonly IKnobField[]): IKnobField {
  return (
    fields.find(field => field.id === 'train.optimizer.args.lr') ?? fields[0]
  );
}

/** Values that other runs of the experiment have in a field. */
export function siblingTexts(
  field: IKnobField,
  siblings: readonly IRun[]
): string[] {
  const texts = siblings
    .map(run => run.knobs[field.id])
    .filter(value => value !== undefined && value !== null)
    .map(value => fieldText(field, value));
  return [...new Set(texts)];
}

/** Whether a name is free for a new knob beside the others of its place. */
export function isFree(
  form: ICloneForm,
  place: readonly string[],
  name: string
): boolean {
  const id = [...place, name].join('.');
  return !fieldsOf(form).some(
    field => field.id === id || field.id.startsWith(`${id}.`)
  );
}
