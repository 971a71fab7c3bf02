import { describe, expect, it } from 'vitest';
import type { SearchHit } from '../api/types';
import { byThing, joined, searchCommand, whatOf, withRecent } from './found';

const hit = (more: Partial<SearchHit>) => ({ title: [], score: 1, address: '/', in: 'entities', ...more }) as SearchHit;

describe('what was found', () => {
  it('is told in a few words', () => {
    expect(whatOf(hit({ ref: 'component:default/shop' }))).toBe('component:default/shop');
    expect(whatOf(hit({ in: 'docs', ref: 'component:default/shop', page: 'Guide' }))).toBe('Guide, docs of shop');
    expect(joined([{ text: 'pay', match: true }, { text: 'ment' }])).toBe('payment');
    expect(joined()).toBe('');
  });
  it('is grouped by kind of thing, the best first', () => {
    const groups = byThing([hit({ in: 'docs' }), hit({ score: 3 }), hit({ in: 'docs', score: 2 })]);
    expect(groups.map(([name, hits]) => `${name} ${hits.length}`)).toEqual(['docs 2', 'entities 1']);
  });
});

describe('recent places', () => {
  it('are few, each once, the newest first', () => {
    let all = withRecent([], { address: '/a', title: 'A', about: '' });
    for (let i = 0; i < 20; i++) all = withRecent(all, { address: `/${i % 10}`, title: `${i}`, about: '' });
    expect(all.map((r) => r.title)).toEqual(['19', '18', '17', '16', '15', '14', '13', '12']);
  });
});

describe('the command that searches alike', () => {
  it('is what a shell takes', () => {
    expect(searchCommand({ q: 'payment', kind: 'component' })).toBe('roadbed search payment --kind component');
    expect(searchCommand({ q: `it's "so"`, owner: 'group:default/team' })).toBe(
      `roadbed search 'it'\\''s "so"' --owner group:default/team`,
    );
  });
});
