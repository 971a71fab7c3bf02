import { describe, expect, it } from 'vitest';
import { chosen, command, csv, nextSort, toFilter, turned, viewQuery } from './filter';

describe('the address of the catalog', () => {
  it('adds a value and takes it away', () => {
    expect(turned(undefined, 'api')).toBe('api');
    expect(turned('component,api', 'component')).toBe('api');
    expect(turned('api', 'api')).toBeUndefined();
  });
  it('asks of the past only what is known of it', () => {
    const search = { kind: 'api', mine: 'true', gap: 'no-owner', sort: '-updated', starred: 'true', columns: 'kind' };
    expect(toFilter(search)).toEqual({
      kind: 'api',
      mine: true,
      gap: 'no-owner',
      sort: '-updated',
      starred: true,
      failed: undefined,
      orphan: undefined,
    });
    expect(toFilter({ ...search, asOf: '2026-01-01' })).toEqual({ kind: 'api', mine: true, asOf: '2026-01-01' });
  });
  it('names what narrows', () => {
    expect(chosen({ text: 'a', sort: 'name', owner: 'x', failed: 'true', columns: 'kind' })).toEqual([
      'text',
      'owner',
      'failed',
    ]);
  });
  it('is a command and a view', () => {
    const search = { kind: 'component,api', owner: 'group:default/a', text: "it's", mine: 'true', sort: '-updated' };
    expect(command(search)).toBe(
      `roadbed get component,api --text 'it'\\''s' --owner group:default/a --mine --sort -updated`,
    );
    expect(viewQuery({ sort: 'name', kind: 'api', asOf: '2026-01-01', text: '' })).toBe('kind=api&sort=name');
  });
  it('sorts times by the latest first', () => {
    expect([nextSort(undefined, 'name'), nextSort('name', 'name'), nextSort('-name', 'name')]).toEqual([
      'name',
      '-name',
      undefined,
    ]);
    expect([nextSort('name', 'updated'), nextSort('-updated', 'updated')]).toEqual(['-updated', 'updated']);
  });
});

describe('csv', () => {
  it('quotes what needs it, and begins no formula', () => {
    expect(
      csv([
        ['a', 'b,"c"'],
        ['=1+1', 'x\ny'],
      ]),
    ).toBe('a,"b,""c"""\r\n\'=1+1,"x\ny"\r\n');
  });
});
