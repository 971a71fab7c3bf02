import { describe, expect, it } from 'vitest';
import { ago, bytes, duration, full, took } from './time';

const now = Date.parse('2026-11-23T12:00:00Z');
const earlier = (seconds: number) => new Date(now - seconds * 1000).toISOString();

describe('ago', () => {
  it.each([
    [3, 'just now'],
    [45, '45 seconds ago'],
    [61, '1 minute ago'],
    [3599, '59 minutes ago'],
    [7300, '2 hours ago'],
    [90_000, 'yesterday'],
    [8 * 86_400, 'last week'],
    [400 * 86_400, 'last year'],
    [-120, 'in 2 minutes'],
  ])('%i seconds before is %s', (seconds, words) => {
    expect(ago(earlier(seconds), now)).toBe(words);
  });

  it('does not pretend to know what is no moment', () => {
    expect(ago('soon', now)).toBe('at an unknown time');
    expect(full('soon')).toBe('soon');
  });
});

describe('duration', () => {
  it.each([
    [850, '850 ms'],
    [4_249, '4.2 s'],
    [59_960, '1 min 0 s'],
    [185_000, '3 min 5 s'],
    [7_800_000, '2 h 10 min'],
  ])('%i ms is %s', (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  it('counts until now while something goes on', () => {
    expect(took(earlier(12), undefined, now)).toBe('12 s');
    expect(took(earlier(12), earlier(10), now)).toBe('2.0 s');
    expect(took(undefined, undefined, now)).toBe('');
  });
});

it('says bytes for people', () => {
  expect([812, 4100, 2_000_000, 999_960].map(bytes)).toEqual(['812 B', '4.1 KB', '2.0 MB', '1.0 MB']);
});
