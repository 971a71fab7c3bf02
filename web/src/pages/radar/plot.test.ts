import { expect, test } from 'vitest';
import { plot, ringEnd } from './plot';

const entry = (id: string, quadrant: string, ring: string) => ({
  id,
  quadrant,
  ring,
  users: 0,
  links: [],
  timeline: [],
});
const radar = {
  quadrants: [{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }],
  rings: [{ id: 'adopt' }, { id: 'hold' }],
  entries: [
    entry('one', 'a', 'adopt'),
    entry('two', 'a', 'hold'),
    entry('three', 'c', 'hold'),
    entry('four', 'c', 'hold'),
  ],
};

test('entries are in their quadrant, clockwise from the upper right, and in their ring', () => {
  const spots = plot(radar, 100);
  expect(spots.map((s) => `${s.number} ${s.entry.id}`)).toEqual(['1 one', '2 two', '3 three', '4 four']);
  for (const s of spots) {
    const away = Math.hypot(s.x, s.y);
    expect(away <= 100 * ringEnd(2, 0)).toBe(s.entry.ring === 'adopt');
    expect(away).toBeLessThan(100);
    expect([s.x > 0, s.y > 0]).toEqual(s.entry.quadrant === 'a' ? [true, false] : [false, true]);
  }
});

test('the rings have the same area', () => {
  expect(ringEnd(4, 0)).toBe(0.5);
  expect(ringEnd(4, 3)).toBe(1);
});
