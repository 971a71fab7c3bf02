import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { changedFields, editCommand, fieldsOf } from './edit';
import { named, relationFields } from './relations';

const entity = {
  title: 'Shop',
  owner: 'group:default/team',
  tags: ['go'],
  relations: [
    { type: 'ownedBy', target: 'group:default/team' },
    { type: 'partOf', target: 'system:default/tills' },
  ],
  document: { metadata: { links: [{ url: 'https://a.test', title: 'A' }] }, spec: { system: 'tills' } },
};

describe('editing an entity', () => {
  it('sends what differs, and nothing else', () => {
    const had = fieldsOf(entity);
    expect(had).toEqual({
      title: 'Shop',
      description: '',
      owner: 'group:default/team',
      lifecycle: '',
      system: 'system:default/tills',
      tags: ['go'],
      links: [{ url: 'https://a.test', title: 'A' }],
      relations: {},
    });
    expect(changedFields(had, had)).toEqual({});
    expect(changedFields(had, { ...had, title: '', tags: ['go', 'web'] })).toEqual({ title: '', tags: ['go', 'web'] });
    expect(changedFields(had, { ...had, system: '' })).toEqual({ system: '' });
    expect(fieldsOf({ ...entity, document: { spec: {} } }).system).toBe('');
  });
  it('leaves links without an address away', () => {
    const had = fieldsOf(entity);
    expect(changedFields(had, { ...had, links: [...had.links, { url: ' ' }] })).toEqual({});
    expect(changedFields(had, { ...had, links: [{ url: 'https://b.test', title: '' }] })).toEqual({
      links: [{ url: 'https://b.test' }],
    });
  });
  it('has the relations of the kind, as they are written', () => {
    const of = (kind: string, spec: object, type?: string) => fieldsOf({ kind, type, document: { spec } }).relations;
    const none = { providesApis: [], consumesApis: [], dependsOn: [], dependencyOf: [] };
    expect(of('Component', { dependsOn: ['resource:db', 'Component:a'], subcomponentOf: 'big' })).toEqual({
      ...none,
      dependsOn: ['resource:db', 'Component:a'],
      subcomponentOf: ['big'],
    });
    expect(of('Resource', { dependencyOf: 'component:a' })).toEqual({ dependsOn: [], dependencyOf: ['component:a'] });
    expect(of('System', {})).toEqual({ domain: [] });
    expect(of('Domain', { subdomainOf: 'all' })).toEqual({ subdomainOf: ['all'] });
    expect(of('Group', { children: [], members: ['ann'], parent: 'crew' })).toEqual({
      children: [],
      members: ['ann'],
      parent: ['crew'],
    });
    expect(of('User', { memberOf: ['crew'] })).toEqual({ memberOf: ['crew'] });
    expect(of('AiResource', { skills: ['a'] }, 'plugin')).toEqual({ skills: ['a'] });
    expect(of('AiResource', {}, 'rule')).toEqual({});
    expect(of('API', { definition: 'x' })).toEqual({});
    expect(of('Stack', { dependsOn: ['other'] })).toEqual({});
  });
  it('keeps what it can’t show', () => {
    const { relations } = fieldsOf({
      kind: 'Component',
      document: { spec: { dependsOn: ['component:a', { $text: 'b' }], subcomponentOf: ['a'], providesApis: null } },
    });
    expect(relations).toEqual({ providesApis: [], consumesApis: [], dependencyOf: [] });
  });
  it('sends the relations that differ, whole', () => {
    const had = fieldsOf({
      kind: 'Component',
      document: { spec: { dependsOn: ['resource:db'], consumesApis: ['pay'] } },
    });
    const now = { ...had, relations: { ...had.relations, dependsOn: ['resource:db', 'component:default/a'] } };
    expect(changedFields(had, had)).toEqual({});
    expect(changedFields(had, now)).toEqual({ relations: { dependsOn: ['resource:db', 'component:default/a'] } });
    expect(
      changedFields(now, { ...now, relations: { ...now.relations, dependsOn: [], subcomponentOf: ['b'] } }),
    ).toEqual({
      relations: { dependsOn: [], subcomponentOf: ['b'] },
    });
  });
  it('offers the relations that an edit sets', () => {
    const path = new URL('../../../../internal/core/document/testdata/relation_fields.json', import.meta.url);
    const set: Record<string, Record<string, string>> = JSON.parse(readFileSync(path, 'utf8'));
    for (const kind of [...Object.keys(set), 'API', 'Location']) {
      const types = kind === 'AiResource' ? ['skill', 'plugin', 'marketplace'] : [undefined];
      const offered = types.flatMap((type) => relationFields(kind, type)).map((f) => [f.name, f.many ? 'many' : 'one']);
      expect(Object.fromEntries(offered), kind).toEqual(set[kind] ?? {});
    }
  });
  it('knows whom a text names', () => {
    const field = (name: string) => relationFields('Component').find((f) => f.name === name) as never;
    expect(named('Pay', field('consumesApis'), 'shop')).toBe('api:shop/pay');
    expect(named('api:default/pay', field('consumesApis'), 'shop')).toBe('api:default/pay');
    expect(named('pay', field('dependsOn'))).toBe('pay');
  });
  it('is a command, too', () => {
    expect(
      editCommand('component:default/shop', {
        title: 'Ann’s',
        owner: "o'neil",
        tags: ['a', 'b'],
        relations: { dependsOn: ['component:default/a', 'resource:default/b'], subcomponentOf: [] },
      }),
    ).toBe(
      "roadbed edit component:default/shop --title 'Ann’s' --owner 'o'\\''neil' --tags 'a,b' --relation 'dependsOn=component:default/a,resource:default/b' --relation 'subcomponentOf='",
    );
  });
});
