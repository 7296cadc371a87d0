import { JSONExt, PartialJSONValue } from '@lumino/coreutils';

import { KnobValue } from '../tokens';

/**
 * What a knob's value may be.
 *
 * "number" also takes whole numbers, "json" any value, "names" a list of names.
 */
export type KnobKind =
  'integer' | 'number' | 'boolean' | 'text' | 'choice' | 'json' | 'names';

/** What is wrong with a text; `knobProblem.ts` has the words. */
export type KnobProblem =
  | { code: 'number' | 'integer' | 'json' | 'empty' | 'large' | 'list' }
  | { code: 'range' | 'log' | 'positive' | 'minimum' | 'duplicate' | 'runs' }
  | { code: 'choice'; choices: readonly string[] };

/** The rules of one knob, as far as they are known without the engine. */
export interface IKnobRules {
  kind: KnobKind;

  /** Whether "none" is a value too. */
  nullable?: boolean;
  choices?: readonly string[];

  /** Smallest value; null: above 0. */
  minimum?: number | null;
}

/** A value, or why a text is none. */
export type Parsed<T> = { value: T } | { problem: KnobProblem };

/** How the server shows a value that it keeps to itself. */
const MASK = '***';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** What stands for null in fields. */
const NONE = 'none';

export function isSame(
  one: KnobValue | undefined,
  other: KnobValue | undefined
): boolean {
  return one === undefined || other === undefined
    ? one === other
    : JSONExt.deepEqual(one as PartialJSONValue, other as PartialJSONValue);
}

export function isDict(
  value: KnobValue | undefined
): value is { [key: string]: KnobValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Whether a value is hidden, or holds one that is.
 */
export function isMasked(value: KnobValue | undefined): boolean {
  if (Array.isArray(value) || isDict(value)) {
    return Object.values(value).some(isMasked);
  }
  return value === MASK;
}

/**
 * A value as its field shows it: exact, so that what is left alone is not rounded.
 */
export function fieldText(
  rules: IKnobRules,
  value: KnobValue | undefined
): string {
  if (value === undefined) {
    return '';
  }
  if (rules.kind === 'names' && Array.isArray(value)) {
    return value.join(', ');
  }
  if (rules.kind === 'json') {
    return JSON.stringify(value);
  }
  return value === null ? '' : `${value}`;
}

/**
 * Read one value; strict, so that a slip of the finger is no other number.
 */
export function parseKnob(rules: IKnobRules, text: string): Parsed<KnobValue> {
  const trimmed = text.trim();
  if (rules.nullable && (trimmed === '' || trimmed.toLowerCase() === NONE)) {
    return { value: null };
  }
  switch (rules.kind) {
    case 'integer':
    case 'number':
      return parseNumber(rules, trimmed);
    case 'boolean':
      return { value: trimmed === 'true' };
    case 'text':
      return { value: text };
    case 'choice':
      return rules.choices?.includes(trimmed)
        ? { value: trimmed }
        : { problem: { code: 'choice', choices: rules.choices ?? [] } };
    case 'names':
      return { value: splitList(text).filter(name => name !== '') };
    case 'json':
      return parseJSON(trimmed);
  }
}

/**
 * Read the values of a list: separated by commas, or as a JSON list.
 */
export function parseList(
  rules: IKnobRules,
  text: string
): Parsed<KnobValue[]> {
  const items = listItems(rules, text);
  if ('problem' in items) {
    return items;
  }
  const values: KnobValue[] = [];
  for (const item of items.value) {
    const parsed = parseKnob(rules, item);
    if ('problem' in parsed) {
      return parsed;
    }
    if (values.some(value => isSame(value, parsed.value))) {
      return { problem: { code: 'duplicate' } };
    }
    values.push(parsed.value);
  }
  return { value: values };
}

/**
 * Read any JSON value; numbers also as fields take them (.001).
 */
export function parseJSON(text: string): Parsed<KnobValue> {
  if (NUMBER.test(text)) {
    return parseNumber({ kind: 'number' }, text);
  }
  try {
    return { value: JSON.parse(text) as KnobValue };
  } catch {
    return { problem: { code: text ? 'json' : 'empty' } };
  }
}

function parseNumber(rules: IKnobRules, text: string): Parsed<number> {
  const value = Number(text);
  if (!NUMBER.test(text)) {
    return {
      problem: { code: rules.kind === 'integer' ? 'integer' : 'number' }
    };
  }
  if (rules.kind === 'integer' && !Number.isInteger(value)) {
    return { problem: { code: 'integer' } };
  }
  // Beyond these, the number sent would be another one than the number typed.
  if (
    !Number.isFinite(value) ||
    (rules.kind === 'integer' && !Number.isSafeInteger(value))
  ) {
    return { problem: { code: 'large' } };
  }
  if (rules.minimum === null && value <= 0) {
    return { problem: { code: 'positive' } };
  }
  if (typeof rules.minimum === 'number' && value < rules.minimum) {
    return { problem: { code: 'minimum' } };
  }
  return { value };
}

function listItems(rules: IKnobRules, text: string): Parsed<string[]> {
  const isJSON = text.trim().startsWith('[');
  if (isJSON || rules.kind === 'json') {
    const parsed = parseJSON(text.trim());
    if ('problem' in parsed || !Array.isArray(parsed.value)) {
      return { problem: { code: 'list' } };
    }
    return parsed.value.length
      ? { value: parsed.value.map(item => itemText(rules, item)) }
      : { problem: { code: 'empty' } };
  }
  const items = splitList(text);
  return items.length ? { value: items } : { problem: { code: 'empty' } };
}

function itemText(rules: IKnobRules, item: KnobValue | undefined): string {
  return rules.kind === 'text' && typeof item === 'string'
    ? item
    : typeof item === 'string' && rules.kind !== 'json'
      ? item
      : JSON.stringify(item);
}

/** A comma at the end is one typed ahead of the next value. */
function splitList(text: string): string[] {
  const items = text.split(',').map(item => item.trim());
  if (items[items.length - 1] === '') {
    items.pop();
  }
  return items;
}
