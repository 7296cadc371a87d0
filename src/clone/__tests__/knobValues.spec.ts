import {
  fieldText,
  isMasked,
  isSame,
  parseJSON,
  parseKnob,
  parseList
} from '../knobValues';

const code = (parsed: object) =>
  (parsed as { problem?: { code: string } }).problem?.code;

describe('parseKnob', () => {
  it.each([
    ['3e-4', 0.0003],
    ['1e-3', 0.001],
    ['.001', 0.001],
    [' 5. ', 5],
    ['-1E+2', -100]
  ])('reads the number %s', (text, value) => {
    expect(parseKnob({ kind: 'number' }, text)).toEqual({ value });
  });

  it.each(['', '1e-', '0,1', '0x10', 'NaN', 'Infinity', '1 2', '--1', 'none'])(
    'does not take %p for a number',
    text => {
      expect(code(parseKnob({ kind: 'number' }, text))).toBe('number');
    }
  );

  it('refuses numbers that JSON cannot carry as they are', () => {
    expect(code(parseKnob({ kind: 'number' }, '1e999'))).toBe('large');
    expect(code(parseKnob({ kind: 'integer' }, '9007199254740993'))).toBe(
      'large'
    );
  });

  it('takes only whole numbers for a count', () => {
    expect(parseKnob({ kind: 'integer' }, '1e3')).toEqual({ value: 1000 });
    expect(code(parseKnob({ kind: 'integer' }, '1.5'))).toBe('integer');
  });

  it('keeps to the smallest value', () => {
    expect(code(parseKnob({ kind: 'integer', minimum: 1 }, '0'))).toBe(
      'minimum'
    );
    expect(code(parseKnob({ kind: 'number', minimum: null }, '0'))).toBe(
      'positive'
    );
  });

  it('takes nothing for null only where null is a value', () => {
    const nullable = { kind: 'number', nullable: true } as const;
    expect(parseKnob(nullable, '')).toEqual({ value: null });
    expect(parseKnob(nullable, 'None')).toEqual({ value: null });
    expect(code(parseKnob(nullable, 'x'))).toBe('number');
  });

  it('reads text as it is, choices strictly and names one by one', () => {
    expect(parseKnob({ kind: 'text' }, ' a ')).toEqual({ value: ' a ' });
    const choice = { kind: 'choice', choices: ['a', 'b'] } as const;
    expect(parseKnob(choice, 'b')).toEqual({ value: 'b' });
    expect(code(parseKnob(choice, 'c'))).toBe('choice');
    expect(parseKnob({ kind: 'names' }, 'a, b,')).toEqual({
      value: ['a', 'b']
    });
  });
});

describe('parseJSON', () => {
  it('reads any value, and numbers as fields take them', () => {
    expect(parseJSON('[1, {"a": null}]')).toEqual({ value: [1, { a: null }] });
    expect(parseJSON('.5')).toEqual({ value: 0.5 });
    expect(code(parseJSON('relu'))).toBe('json');
    expect(code(parseJSON(''))).toBe('empty');
  });
});

describe('parseList', () => {
  it('separates by commas, and forgives one at the end', () => {
    expect(parseList({ kind: 'number' }, '1e-3, .01,')).toEqual({
      value: [0.001, 0.01]
    });
    expect(code(parseList({ kind: 'number' }, '1,,2'))).toBe('number');
    expect(code(parseList({ kind: 'number' }, ' '))).toBe('empty');
  });

  it('takes a JSON list, so that texts may hold commas', () => {
    expect(parseList({ kind: 'text' }, '["a, b", "c"]')).toEqual({
      value: ['a, b', 'c']
    });
    expect(parseList({ kind: 'json' }, '[[0.9, 0.99], "x", null]')).toEqual({
      value: [[0.9, 0.99], 'x', null]
    });
    expect(code(parseList({ kind: 'json' }, '1, 2'))).toBe('list');
  });

  it('refuses a value that is there twice', () => {
    expect(code(parseList({ kind: 'number' }, '0.1, 1e-1'))).toBe('duplicate');
  });
});

describe('values', () => {
  it('are shown in full', () => {
    expect(fieldText({ kind: 'number' }, 0.000123456789)).toBe(
      '0.000123456789'
    );
    expect(fieldText({ kind: 'json' }, null)).toBe('null');
    expect(fieldText({ kind: 'number' }, null)).toBe('');
  });

  it('are compared and searched for secrets in depth', () => {
    expect(isSame({ a: [1] }, { a: [1] })).toBe(true);
    expect(isSame(undefined, null)).toBe(false);
    expect(isMasked({ a: [{ b: '***' }] })).toBe(true);
    expect(isMasked({ a: '**' })).toBe(false);
  });
});
