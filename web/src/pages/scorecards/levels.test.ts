import { expect, test } from 'vitest';
import type { ScorecardDay } from '../../api/types';
import { bands, colorOf, shares } from './levels';

const card = {
  levels: [
    { name: 'low', entities: 3 },
    { name: 'high', title: 'High', color: 'gold', entities: 1 },
  ],
  none: 2,
};

test('levels have their own colour, or one by their place', () => {
  expect(colorOf(card.levels, 'high')).toContain('#c79100');
  expect(colorOf(card.levels, 'low')).toContain('#a0642c');
  expect(colorOf(card.levels, 'other')).toBe('var(--line)');
});

test('the highest level comes first, and none last', () => {
  expect(shares(card).map((s) => `${s.title} ${s.count}`)).toEqual(['High 1', 'low 3', 'No level 2']);
});

test('bands lie on one another and fill the height on the fullest day', () => {
  const days: ScorecardDay[] = [
    { day: '2026-05-01', entities: 2, levels: { low: 2 }, failing: {} },
    { day: '2026-05-02', entities: 4, levels: { high: 1, low: 2, none: 1 }, failing: {} },
  ];
  const [high, low, none] = bands(card, days, 100, 40);
  expect(high?.path).toBe('M0.0,40.0 L100.0,30.0 L100.0,40.0 L0.0,40.0 Z');
  expect(low?.path).toBe('M0.0,20.0 L100.0,10.0 L100.0,30.0 L0.0,40.0 Z');
  expect(none?.path).toBe('M0.0,20.0 L100.0,0.0 L100.0,10.0 L0.0,20.0 Z');
});

test('one day alone is as wide as the chart', () => {
  const days = [{ day: '2026-05-01', entities: 1, levels: { high: 1 }, failing: {} }];
  expect(bands(card, days, 100, 40)[0]?.path).toBe('M0.0,0.0 L100.0,0.0 L100.0,40.0 L0.0,40.0 Z');
});
