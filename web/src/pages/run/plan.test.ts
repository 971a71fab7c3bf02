import { describe, expect, it } from 'vitest';
import type { PlanChange } from '../../api/types';
import { attributes, forces } from './attributes';
import { compare, lineDiff } from './lines';
import { counts, filterPlan, modulesOf, sayType, typesOf } from './plan';
import { sayReason } from './reason';

const change = (
  address: string,
  action: PlanChange['action'],
  type = 'terraform_data',
  module?: string,
): PlanChange => ({
  address,
  action,
  type,
  module,
});

describe('the plan', () => {
  const changes = [
    change('a.one', 'create'),
    change('a.two', 'update'),
    change('b.three', 'no-op'),
    change('b.four', 'import', 'dns'),
  ];

  it('counts what changes', () => {
    expect(counts(changes)).toEqual({ create: 1, update: 1, delete: 0, replace: 0, other: 1 });
  });

  it('is filtered by action and by words of the address or type', () => {
    const found = (action: string | undefined, text: string) =>
      filterPlan(changes, { action, text }).map((c) => c.address);
    expect(found(undefined, '')).toEqual(['a.one', 'a.two', 'b.four']);
    expect(found('update', '')).toEqual(['a.two']);
    expect(found('other', 'DNS four')).toEqual(['b.four']);
    expect(found('create', 'two')).toEqual([]);
  });

  it('is filtered by module, with what is within it', () => {
    const within = [
      change('root', 'create'),
      change('module.a.x', 'create', 't', 'module.a'),
      change('module.a.module.b.x', 'delete', 't', 'module.a.module.b'),
      change('module.ab["x.y"].x', 'create', 't', 'module.ab["x.y"]'),
      change('module.still.x', 'no-op', 't', 'module.still'),
    ];
    const found = (module: string, action?: string) => filterPlan(within, { module, action }).map((c) => c.address);
    expect(modulesOf(within)).toEqual([
      { name: 'root', n: 1 },
      { name: 'module.a', n: 2 },
      { name: 'module.a.module.b', n: 1 },
      { name: 'module.ab["x.y"]', n: 1 },
    ]);
    const many = Array.from({ length: 5000 }, (_, i) => change(`x.${i}`, 'create', 't', `module.a.module.m[${i}]`));
    const modules = modulesOf([...within, ...many]);
    expect(modules).toHaveLength(5004);
    expect(modules[1]).toEqual({ name: 'module.a', n: 5002 });
    expect(found('root')).toEqual(['root']);
    expect(found('module.a')).toEqual(['module.a.x', 'module.a.module.b.x']);
    expect(found('module.a', 'delete')).toEqual(['module.a.module.b.x']);
    expect(found('module.gone')).toEqual([]);
  });
});

it('counts the types of a plan, those of which something goes first', () => {
  const changes = [
    ...Array.from({ length: 3 }, (_, i) => change(`a.${i}`, 'create', 'a')),
    change('b.x', 'create', 'b'),
    change('c.x', 'replace', 'c'),
    change('d.x', 'no-op', 'd'),
    change('output', 'create', ''),
  ];
  expect(typesOf(changes).map((t) => [t.type, t.n.create, t.n.replace])).toEqual([
    ['c', 0, 1],
    ['a', 3, 0],
    ['b', 1, 0],
  ]);
  expect(sayType('aws_x', { create: 2, update: 0, delete: 1, replace: 0, other: 0 })).toBe(
    'aws_x: 2 created, 1 destroyed',
  );
  expect(filterPlan(changes, { type: 'a', text: '1' }).map((c) => c.address)).toEqual(['a.1']);
});

describe('the attributes of a change', () => {
  it('are those that differ, and those that are known only after apply', () => {
    const before = { name: 'a', tags: { x: '1', y: '2' }, id: 'i', list: [1] };
    const after = { name: 'b', tags: { x: '1' }, list: [1] };
    expect(attributes(before, after, { id: true })).toEqual([
      { path: 'id', before: 'i', unknown: true },
      { path: 'name', before: 'a', after: 'b' },
      { path: 'tags.y', before: '2', after: undefined },
    ]);
    expect(attributes(undefined, { list: ['a', null] }, { list: [false, true] })).toEqual([
      { path: 'list[0]', before: undefined, after: 'a' },
      { path: 'list[1]', before: undefined, unknown: true },
    ]);
    expect(attributes('x', 'y', false)).toEqual([{ path: '', before: 'x', after: 'y' }]);
  });

  it('tell of a list what went, what came, and what changed within an element', () => {
    const rule = (port: number, from: string[]) => ({ port, from });
    const before = { rules: [rule(22, ['a']), rule(80, ['a']), rule(443, ['a', 'b'])] };
    const after = { rules: [rule(80, ['a']), rule(443, ['a', 'c', 'b'])] };
    expect(attributes(before, after, { rules: [{ from: [false] }, { from: [false, false, false] }] })).toEqual([
      { path: 'rules[0]', before: '{"port":22,"from":["a"]}' },
      { path: 'rules[1].from[1]', after: 'c' },
    ]);
    expect(attributes(['a', 'b', 'c'], ['b', 'd'], false)).toEqual([
      { path: '[0]', before: 'a' },
      { path: '[1]', before: 'c', after: 'd' },
    ]);
    expect(attributes(['a'], ['a', null], false)).toEqual([{ path: '[1]', after: 'null' }]);
  });

  it('look into texts of JSON, and say so when only their writing differs', () => {
    const policy = (actions: string[], effect = 'Allow') =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: effect, Action: actions, Resource: '*' }] });
    expect(attributes({ policy: policy(['s3:Get', 's3:Put']) }, { policy: policy(['s3:Get'], 'Deny') }, {})).toEqual([
      { path: 'policy.Statement[0].Action[1]', before: 's3:Put' },
      { path: 'policy.Statement[0].Effect', before: 'Allow', after: 'Deny' },
    ]);
    expect(attributes('{"a": 1, "b": 2}', '{"b":2,"a":1}', false)).toEqual([
      { path: '', before: '{"a": 1, "b": 2}', after: '{"b":2,"a":1}' },
    ]);
    const [created] = attributes(undefined, { policy: policy(['s3:Get']) }, {});
    expect(created?.after?.split('\n')[1]).toBe('  "Version": "2012-10-17",');
    expect(attributes('[not json', '[not json either', false)).toHaveLength(1);
  });

  it('may be called as what every object has', () => {
    for (const key of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      const one = JSON.parse(`{"tags": {"${key}": "x"}}`);
      expect(attributes({ tags: {} }, one, {})).toEqual([{ path: `tags.${key}`, after: 'x' }]);
      expect(attributes(one, { tags: {} }, {})).toEqual([{ path: `tags.${key}`, before: 'x' }]);
      expect(attributes(one, one, {})).toEqual([]);
    }
  });

  it('show texts of JSON that is nested very deep as they are', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    const deep = nested(200_000);
    expect(attributes({ a: '' }, { a: deep }, {})).toEqual([{ path: 'a', before: '', after: deep }]);
    expect(attributes({ a: nested(9000) }, { a: deep }, {})).toEqual([
      { path: 'a', before: nested(9000), after: deep },
    ]);
    const said = `["${'['.repeat(300)}\\"["]`;
    expect(attributes({ a: '[]' }, { a: said }, {})[0]?.path).toBe('a[0]');
  });

  it('show how a text of several lines changes, by line', () => {
    const script = (middle: string) => ['#!/bin/sh', 'a', 'b', 'c', middle, 'd', 'e', 'f', 'g', ''].join('\n');
    const [row] = attributes({ user_data: script('old') }, { user_data: script('new') }, {});
    expect(row?.path).toBe('user_data');
    expect(row?.diff).toBe('@@ line 2 @@\n a\n b\n c\n-old\n+new\n d\n e\n f');
  });

  it('stay as they are where one of them is a mask, or of another kind', () => {
    expect(attributes({ a: '(sensitive value)' }, { a: { b: 1 } }, {})).toEqual([
      { path: 'a', before: '(sensitive value)', after: '{"b":1}' },
    ]);
    expect(attributes({ a: '(sensitive value)' }, { a: '(sensitive value, changed)' }, {})).toHaveLength(1);
    expect(attributes({ a: '(sensitive value)' }, { a: '(sensitive value)' }, {})).toEqual([]);
    expect(attributes({ a: '1' }, { a: 1 }, {})).toHaveLength(1);
  });

  it('say which of them force a replacement', () => {
    const replacing = ['ami', 'disk[0].size'];
    expect(
      ['ami', 'ami_id', 'disk', 'disk[0].size', 'disk[0].size.unit', 'disk[1].size', 'name'].filter((p) =>
        forces(p, replacing),
      ),
    ).toEqual(['ami', 'disk', 'disk[0].size', 'disk[0].size.unit']);
    expect(forces('ami', undefined)).toBe(false);
  });
});

describe('a comparison', () => {
  const random = (seed: number) => () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  it('leads from any list to any other, and changes nothing of what is alike', () => {
    const next = random(7);
    for (let round = 0; round < 300; round++) {
      const list = () => Array.from({ length: Math.floor(next() * 9) }, () => 'abc'[Math.floor(next() * 3)] as string);
      const [x, y] = [list(), list()];
      const steps = compare(x, y);
      expect(steps.flatMap((s) => (s.before === undefined ? [] : [x[s.before]]))).toEqual(x);
      expect(steps.flatMap((s) => (s.after === undefined ? [] : [y[s.after]]))).toEqual(y);
      for (const s of steps) {
        if (s.before !== undefined && s.after !== undefined) expect(x[s.before]).toBe(y[s.after]);
      }
    }
    expect(lineDiff('same\n', 'same\n')).toBe('');
  });

  it('of very long texts ends soon', () => {
    const long = (mark: string) => Array.from({ length: 20_000 }, (_, i) => `${mark} ${i}`).join('\n');
    expect(lineDiff(long('a'), long('b')).split('\n')).toHaveLength(40_000);
  });
});

it('says in words why an engine does something', () => {
  expect(sayReason('replace_because_cannot_update')).toMatch(/can’t be changed in place/);
  expect(sayReason('replace_because_of_the_moon')).toBe('replace because of the moon');
  expect(sayReason('Differs in a, b_c')).toBe('Differs in a, b_c');
});
