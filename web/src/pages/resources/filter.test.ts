import { describe, expect, it } from 'vitest';
import { command } from './filter';

describe('the command of the page of resources', () => {
  it('asks for what the page shows', () => {
    expect(command({})).toBe('roadbed resources');
    expect(
      command({ text: 'logs', type: 'aws_s3_bucket', owner: 'group:default/crew', orphan: 'true', drifted: 'true' }),
    ).toBe('roadbed resources logs --type aws_s3_bucket --owner group:default/crew --orphan --drifted');
  });
  it('is one that a shell reads as it is meant', () => {
    expect(command({ text: "it's; rm -rf $HOME" })).toBe(`roadbed resources 'it'\\''s; rm -rf $HOME'`);
  });
});
