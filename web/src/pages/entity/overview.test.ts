import { describe, expect, it } from 'vitest';
import { deedsOf } from './deeds';
import { missingOf, related } from './linked';
import { restOfSpec } from './rest';
import { whence } from './whence';
import { docsBeside, hasDefinition, hasDocs, linksOf, outward, pairsOf, remotesOf, target, titleOf } from './written';

describe('what people wrote of an entity', () => {
  it('leads to the web and to mail, and nowhere else', () => {
    expect(outward('https://a.test/x?y#z')).toBe('https://a.test/x?y#z');
    expect(outward('HTTP://a.test')).toBe('http://a.test/');
    expect(outward('mailto:crew@a.test')).toBe('mailto:crew@a.test');
    for (const text of [
      'javascript:alert(1)',
      ' https://a.test',
      'https://a.test and more',
      'https://',
      'https:a.test',
      'data:text/html,x',
      'ftp://a.test',
      '//a.test',
      '/docs',
      'mailto:',
      '',
    ])
      expect(outward(text), text).toBeUndefined();
    expect(target('url:https://a.test/b')).toBe('https://a.test/b');
    expect(target('url:javascript:alert(1)')).toBeUndefined();
  });
  it('calls a link by its title, or by where it leads', () => {
    expect(titleOf({ url: 'https://a.test/b', title: 'A' })).toBe('A');
    expect(titleOf({ url: 'https://a.test:8443/b' })).toBe('a.test:8443');
    expect(titleOf({ url: 'mailto:crew@a.test' })).toBe('crew@a.test');
    expect(titleOf({ url: 'slack://crew' })).toBe('slack://crew');
  });
  it('groups links by type, those without one first', () => {
    const links = [
      { url: 'a', type: 'runbook' },
      { url: 'b' },
      { url: 'c', type: 'runbook' },
      { title: 'no address' },
      5,
    ];
    expect(linksOf({ document: { metadata: { links } } })).toEqual([
      { links: [{ url: 'b' }] },
      {
        type: 'runbook',
        links: [
          { url: 'a', type: 'runbook' },
          { url: 'c', type: 'runbook' },
        ],
      },
    ]);
    for (const document of [{}, null, { metadata: { links: 'x' } }]) expect(linksOf({ document })).toEqual([]);
  });
  it('orders labels by their keys', () => {
    expect(pairsOf({ document: { metadata: { labels: { b: 'x', a: '1' } } } }, 'labels')).toEqual([
      ['a', '1'],
      ['b', 'x'],
    ]);
    expect(pairsOf({ document: { metadata: {} } }, 'annotations')).toEqual([]);
  });
});

describe('the rest of a spec', () => {
  const rest = (spec: Record<string, unknown>, more = {}) =>
    restOfSpec({ kind: 'Dataset', relations: [], document: { spec }, ...more });
  it('is a row, several beside each other, or folded', () => {
    expect(
      rest({
        tier: 'gold',
        rows: 0,
        kept: false,
        places: ['eu', 'us'],
        inputs: [{ from: 'raw' }],
        limits: { cpu: 2, memory: '1Gi' },
        note: 'one\ntwo\n',
        nothing: null,
        none: [],
        empty: {},
        blank: '',
      }),
    ).toEqual([
      { name: 'tier', as: 'text', text: 'gold' },
      { name: 'rows', as: 'text', text: '0' },
      { name: 'kept', as: 'text', text: 'false' },
      { name: 'places', as: 'list', items: ['eu', 'us'] },
      { name: 'inputs', as: 'block', size: '1 item', text: '- from: raw' },
      { name: 'limits', as: 'block', size: '2 fields', text: 'cpu: 2\nmemory: "1Gi"' },
      { name: 'note', as: 'block', size: '2 lines', text: 'one\ntwo\n' },
    ]);
    expect(rest({ many: Array.from({ length: 31 }, (_, i) => i) })[0]).toMatchObject({ as: 'block', size: '31 items' });
  });
  it('leaves what is shown elsewhere', () => {
    const spec = {
      type: 'service',
      owner: 'crew',
      lifecycle: 'production',
      system: 'shop',
      dependsOn: ['a'],
      port: 80,
    };
    const shown = {
      kind: 'Component',
      type: 'service',
      owner: 'group:default/crew',
      lifecycle: 'production',
      relations: [{ type: 'partOf', target: 'system:default/shop' }],
    };
    expect(rest(spec, shown)).toEqual([{ name: 'port', as: 'text', text: '80' }]);
    expect(rest({ owner: 'crew', system: 'x', type: 5 }).map((f) => f.name)).toEqual(['owner', 'system', 'type']);
    expect(rest({ definition: 'x' }, { kind: 'API' })).toEqual([]);
    expect(rest({ profile: { email: 'a@a.test' }, memberOf: [] }, { kind: 'User' })).toEqual([]);
    expect(restOfSpec({ kind: 'Dataset', relations: [], document: null })).toEqual([]);
  });
});

describe('where an entity is declared', () => {
  it('is a file at a commit, or who brought it', () => {
    expect(whence({ source: 'crew/counter/deploy/catalog-info.yaml', location: 'loc_1', commit: 'c0' })).toEqual({
      by: 'file',
      repository: 'crew/counter',
      path: 'deploy/catalog-info.yaml',
      commit: 'c0',
      location: 'loc_1',
    });
    expect(whence({ source: 'crew/counter', commit: 'c0' })).toMatchObject({
      by: 'file',
      repository: 'crew/counter',
      path: '',
    });
    expect(whence({ source: 'location:loc_1', location: 'loc_1' })).toEqual({ by: 'location', location: 'loc_1' });
    expect(whence({ source: 'push:cmdb' })).toEqual({ by: 'push', name: 'cmdb' });
    expect(whence({ source: 'directory:default/people' })).toEqual({ by: 'finder', ref: 'directory:default/people' });
    expect(whence({ source: 'roadbed:set-up' })).toEqual({ by: 'platform' });
    expect(whence({ source: 'apply' })).toEqual({ by: 'apply', name: undefined });
    expect(whence({ source: 'ci/deploy' })).toEqual({ by: 'apply', name: 'ci/deploy' });
  });
});

describe('what an entity is related to', () => {
  it('is told by kind of relation, without what stands elsewhere', () => {
    const relations = [
      { type: 'dependsOn', target: 'component:default/a' },
      { type: 'dependsOn', target: 'resource:default/b' },
      { type: 'hasMember', target: 'user:default/u' },
      { type: 'ownedBy', target: 'group:default/g' },
    ];
    expect(related({ kind: 'Component', relations })).toEqual([
      ['dependsOn', ['component:default/a', 'resource:default/b']],
      ['hasMember', ['user:default/u']],
    ]);
    expect(related({ kind: 'Group', relations }).map(([type]) => type)).toEqual(['dependsOn']);
  });
  it('may be missing', () => {
    const relations = [
      { type: 'dependsOn', target: 'component:default/a', missing: true },
      { type: 'hasPart', target: 'component:default/a', missing: true },
      { type: 'ownedBy', target: 'group:default/g' },
    ];
    expect([...missingOf({ relations })]).toEqual(['component:default/a']);
  });
});

describe('the tabs of an entity', () => {
  const of = (kind: string, annotations: Record<string, string> = {}) =>
    hasDocs({ kind, document: { metadata: { annotations } } });
  it('have docs by its kind, or where it says so', () => {
    expect([of('Component'), of('Group'), of('Policy', { 'backstage.io/source-location': 'url:x' })]).toEqual([
      true,
      false,
      false,
    ]);
    expect(of('Group', { 'backstage.io/techdocs-ref': 'dir:.' })).toBe(true);
    expect(of('User', { 'backstage.io/techdocs-entity': 'component:handbook' })).toBe(true);
  });
  it('have a definition, or where it is reached', () => {
    const remotes = [{ type: 'streamable-http', url: 'https://a.test/mcp' }, { type: 'sse' }, 'x', null];
    expect(remotesOf({ document: { spec: { remotes } } })).toEqual([
      { type: 'streamable-http', url: 'https://a.test/mcp' },
    ]);
    expect(remotesOf({ document: { spec: { remotes: 'x' } } })).toEqual([]);
    const defined = (definition?: unknown) => hasDefinition({ document: { spec: { definition } } });
    expect([defined('openapi: 3.1.0'), defined({ openapi: '3.1.0' }), defined(null), defined()]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('docs of the past', () => {
  const of = (annotations: Record<string, string>, commit?: string) =>
    docsBeside({ commit, document: { metadata: { annotations } } });
  it('are known where they are beside the file', () => {
    expect(of({}, 'abc')).toBe(true);
    expect(of({ 'backstage.io/techdocs-ref': 'dir:docs' }, 'abc')).toBe(true);
    expect(of({ 'backstage.io/techdocs-ref': 'dir:.', 'backstage.io/techdocs-entity': 'component:a' }, 'abc')).toBe(
      true,
    );
  });
  it('are not known elsewhere, and of what was applied', () => {
    expect(of({})).toBe(false);
    expect(of({ 'backstage.io/techdocs-ref': 'url:https://a.test/b' }, 'abc')).toBe(false);
    expect(of({ 'backstage.io/techdocs-entity': 'component:a' }, 'abc')).toBe(false);
  });
});

describe('what can be done with an entity', () => {
  it('is by what brought it', () => {
    const file = { source: 'crew/all/shop.yaml', commit: 'abc', location: 'loc_2', origin: 'loc_1' };
    expect(deedsOf(file)).toEqual(['refresh', 'unregister']);
    expect(deedsOf({ ...file, orphan: true })).toEqual(['delete']);
    expect(deedsOf({ source: 'apply' })).toEqual(['delete']);
    expect(deedsOf({ source: 'company' })).toEqual(['delete']);
    for (const source of ['push:lake', 'roadbed:kinds', 'directory:default/people', 'discovery:default/acme'])
      expect(deedsOf({ source }), source).toEqual([]);
  });
});
