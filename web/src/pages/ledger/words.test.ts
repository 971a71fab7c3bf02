import { describe, expect, it } from 'vitest';
import { sayType } from './words';

describe('entries of the ledger', () => {
  it('say what changed to what', () => {
    expect(sayType({ type: 'run.state-changed', data: { from: 'ready', to: 'pending_review' } })).toBe(
      'run state changed: pending review',
    );
    expect(sayType({ type: 'token.created', data: undefined })).toBe('token created');
  });

  it('say how much ended, and why', () => {
    const end = (data: unknown) => sayType({ type: 'session.ended', data });
    expect(end({ sessions: 1, tokens: 0 })).toBe('session ended');
    expect(end({ why: 'the token was revoked', sessions: 1, tokens: 0 })).toBe('session ended: the token was revoked');
    expect(end({ why: 'a login policy changed', sessions: 2, tokens: 1 })).toBe(
      'session ended: 2 sessions and 1 token, a login policy changed',
    );
    expect(end({ why: 'the machine was deleted', sessions: 0, tokens: 3 })).toBe(
      'session ended: 3 tokens, the machine was deleted',
    );
    expect(end(null)).toBe('session ended');
  });
});
