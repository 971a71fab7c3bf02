import { describe, expect, it } from 'vitest';
import { money, replanCommand } from '../run/plan';
import { command } from './filter';

describe('the list of stacks', () => {
  it('has a command that shows the same', () => {
    expect(command({})).toBe('roadbed stack list');
    expect(command({ text: "bob's net", state: 'failed,none', drifted: 'true', queued: 'no' })).toBe(
      "roadbed stack list --text 'bob'\\''s net' --state failed,none --drifted",
    );
  });
});

describe('a choice of a plan', () => {
  it('has a command with each address quoted where a shell would read it', () => {
    expect(replanCommand('run_1', [])).toBe('roadbed run replan run_1 --target ADDRESS');
    expect(replanCommand('run_1', ['a.b', 'a.c["d"]'])).toBe(
      `roadbed run replan run_1 --target a.b --target 'a.c["d"]'`,
    );
  });
});

describe('money', () => {
  it('has two digits, and a sign where it is a difference', () => {
    expect(money(1234.5, 'EUR')).toBe('1,234.50 EUR');
    expect(money(3, 'EUR', true)).toBe('+3.00 EUR');
    expect(money(-0.004, 'EUR', true)).toBe('0.00 EUR');
  });
});
