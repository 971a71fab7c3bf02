import { describe, expect, it } from 'vitest';
import { chosen, command, csv, nextSort, offer, opened, openView, toFilter, turned, viewQuery } from './filter';

describe('the address of the catalog', () => {
  it('adds a value and takes it away', () => {
    expect(turned(undefined, 'api')).toBe('api');
    expect(turned('component,api', 'component')).toBe('api');
    expect(turned('api', 'api')).toBeUndefined();
  });
  it('asks of the past only what is known of it', () => {
    const search = {
      kind: 'api',
      mine: 'true',
      gap: 'no-owner',
      sort: '-updated',
      starred: 'true',
      location: 'loc_1',
      columns: 'kind',
    };
    expect(toFilter(search)).toEqual({
      kind: 'api',
      mine: true,
      gap: 'no-owner',
      sort: '-updated',
      location: 'loc_1',
      starred: true,
      failed: undefined,
      orphan: undefined,
    });
    expect(toFilter({ ...search, asOf: '2026-01-01' })).toEqual({ kind: 'api', mine: true, asOf: '2026-01-01' });
  });
  it('asks for the groups below an owner', () => {
    const search = { owner: 'group:default/a', below: 'true' };
    expect(toFilter(search)).toMatchObject({ owner: 'group:default/a', below: true });
    expect(command(search)).toBe('roadbed get all --owner group:default/a --below');
  });
  it('names what narrows', () => {
    expect(chosen({ text: 'a', location: 'loc_1', sort: 'name', owner: 'x', failed: 'true', columns: 'kind' })).toEqual(
      ['text', 'location', 'owner', 'failed'],
    );
  });
  it('is a command and a view', () => {
    const search = { kind: 'component,api', owner: 'group:default/a', text: "it's", mine: 'true', sort: '-updated' };
    expect(command(search)).toBe(
      `roadbed get component,api --text 'it'\\''s' --owner group:default/a --mine --sort -updated`,
    );
    expect(command({ tag: 'pci' })).toBe('roadbed get all --tag pci');
    expect(viewQuery({ sort: 'name', kind: 'api', asOf: '2026-01-01', text: '' })).toBe('kind=api&sort=name');
  });
  it('tells which view is open, and whether it was changed', () => {
    const views = [
      { id: 'viw_1', query: 'kind=api&columns=kind%2Cowner' },
      { id: 'viw_2', query: 'kind=component&owner=group%3Adefault%2Fa&text=a+b' },
    ];
    const [first, second] = views as [(typeof views)[0], (typeof views)[0]];
    expect(opened(first)).toEqual({ kind: 'api', columns: 'kind,owner', view: 'viw_1' });
    expect(openView(views, opened(first))).toEqual({ view: first, changed: false });
    expect(openView(views, { ...opened(first), columns: 'kind', asOf: '2026-01-01' })).toEqual({
      view: first,
      changed: true,
    });
    expect(openView(views, { text: 'a b', owner: 'group:default/a', kind: 'component' })).toEqual({
      view: second,
      changed: false,
    });
    const odd = { id: 'viw_3', query: 'kind=api&limit=5' }; // saved by the API, with a word that no list has
    expect(openView([odd], { kind: 'api', view: 'viw_3' })).toEqual({ view: odd, changed: false });
    expect(openView(views, { kind: 'api', view: 'viw_gone' })).toEqual({ view: undefined, changed: false });
    expect(viewQuery(opened(first))).toBe(first.query.split('&').reverse().join('&'));
    expect(toFilter(opened(first))).not.toHaveProperty('view');
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

describe('the values from which to choose', () => {
  const counted = [
    { value: 'a', count: 9 },
    { value: 'b', count: 3 },
  ];
  it('begin with those that are chosen, also those that nothing has', () => {
    expect(offer(counted, ['b', 'gone'], false)).toEqual([
      { value: 'gone', count: 0 },
      { value: 'b', count: 3 },
      { value: 'a', count: 9 },
    ]);
  });
  it('say nothing of how many have one that is not among the most frequent', () => {
    expect(offer(counted, ['rare'], true)[0]).toEqual({ value: 'rare', count: undefined });
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
