import { exactValue, formatValue } from '../format';

describe('formatValue', () => {
  it('leaves counts as they are', () => {
    expect([0, 3, -12, 999999].map(formatValue)).toEqual([
      '0',
      '3',
      '-12',
      '999999'
    ]);
  });

  it('is short for numbers of any size', () => {
    expect(formatValue(0.012345)).toBe('0.01235');
    expect(formatValue(1.5e-7)).toBe('1.5e-7');
    // Large floats are integers too.
    expect(formatValue(6.332090259408503e23)).toBe('6.332e+23');
    expect(formatValue(-1e21)).toBe('-1e+21');
    expect(formatValue(123456789)).toBe('1.235e+8');
  });

  it('can leave out nothing', () => {
    expect(exactValue(12345678)).toBe('12345678');
    expect(exactValue(0.012345)).toBe('0.012345');
    expect(exactValue('adam')).toBe('adam');
  });
});
