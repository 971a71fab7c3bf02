import { expect, test } from 'vitest';
import { found, measure } from './severity';

test('the worst findings are counted first, and none that there is none of', () => {
  expect(found({ low: 3, critical: 1, high: 0 })).toEqual([
    { severity: 'critical', count: 1 },
    { severity: 'low', count: 3 },
  ]);
  expect(found({})).toEqual([]);
});

test('a value is read with its unit', () => {
  expect(measure(81.5, '%')).toBe('81.5%');
  expect(measure(1234567)).toBe('1,234,567');
  expect(measure(0.000123456, 's')).toBe('0.0001235 s');
  expect(measure(0)).toBe('0');
  expect(measure(-2.34567, 'ms')).toBe('-2.346 ms');
});
