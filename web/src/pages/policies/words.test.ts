import { describe, expect, it } from 'vitest';
import { attachedTo, inOneLine, percent } from './words';

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
