import { expect, test } from 'vitest';
import { agentState, command, stateOf } from './say';

test('a pool is drained, without an agent, or ready', () => {
  expect(stateOf({ drained: true, connected: 2 }).said).toBe('drained');
  expect(stateOf({ drained: false, connected: 0 }).said).toBe('no agent');
  expect(stateOf({ drained: false, connected: 1 }).said).toBe('ready');
});

test('an agent that was not heard of is gone', () => {
  expect(agentState({ state: 'gone' })).toEqual({ state: 'away', said: 'gone' });
  expect(agentState({ state: 'connected' }).state).toBe('healthy');
});

test('the command allows what is in clear only where it has to', () => {
  expect(command('https://roadbed.example.com')).not.toContain('--in-clear');
  expect(command('http://127.0.0.1:8080')).not.toContain('--in-clear');
  expect(command('http://localhost')).not.toContain('--in-clear');
  expect(command('http://roadbed.example.com')).toContain('--in-clear');
  expect(command('http://localhost.example.com')).toContain('--in-clear');
});
