import { describe, expect, it } from 'vitest';
import { asItIs, attachedTo, inOneLine, percent } from './words';

describe('what a policy is asked about', () => {
  it('is everything, unless it says so', () => {
    expect(attachedTo({})).toBe('everything');
    expect(attachedTo({ labels: ['*'] })).toBe('everything');
    expect(attachedTo({ labels: ['production'], subjects: ['stack:default/net', 'stack:pay/db'] })).toBe(
      'production, net, pay/db',
    );
    expect(attachedTo({ disabled: true, labels: ['production'] })).toBe('nothing: it is disabled');
  });
});

it('is told from another of the same source, and from itself with other labels', () => {
  const of = (ref: string, version: string, labels?: string[]) => asItIs({ ref, version, labels });
  expect(of('policy:default/a', 'v1', ['x'])).toBe(of('policy:default/a', 'v1', ['x']));
  const all = [
    of('policy:default/a', 'v1'),
    of('policy:default/b', 'v1'),
    of('policy:default/a', 'v2'),
    of('policy:default/a', 'v1', ['x']),
  ];
  expect(new Set(all).size).toBe(4);
});

describe('an outcome in one line', () => {
  it('begins with what is gravest', () => {
    expect(inOneLine({ warn: ['b'], approve: ['x'], deny: ['a', 'c'] })).toBe('deny: a; c, warn: b, approve: x');
    expect(inOneLine({ warn: [] })).toBe('nothing was said');
  });
});

describe('progress', () => {
  it('never passes the end', () => {
    expect(percent(0, 0)).toBe(0);
    expect(percent(1, 3)).toBe(33);
    expect(percent(4, 3)).toBe(100);
  });
});
