import { describe, expect, it } from 'vitest';
import { changedFields, fieldsOf } from './edit';

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
});
