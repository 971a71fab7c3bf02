import { describe, expect, it } from 'vitest';
import { Problem } from '../../api/problem';
import { command, fieldsOf, filled, pageOfError, secretsOf } from './form';
import { completed, filtersOf, readRepoUrl, writeRepoUrl } from './pickers';
import { splitUI } from './ui';
import { check, patternWords, validator } from './validator';

const schema = {
  required: ['name', 'owner'],
  properties: {
    name: { type: 'string', title: 'Name', pattern: '^[a-z]+$', minLength: 2, 'ui:autofocus': true },
    owner: {
      type: 'string',
      minLength: 1,
      'ui:field': 'OwnerPicker',
      'ui:options': { catalogFilter: { kind: 'Group' } },
    },
    port: { type: 'integer', minimum: 1024 },
    key: { type: 'string', 'ui:field': 'Secret' },
  },
};

describe('the form', () => {
  it('takes the ui hints out of the schema', () => {
    const { schema: plain, ui } = splitUI(schema);
    expect(JSON.stringify(plain)).not.toContain('ui:');
    expect(ui).toEqual({
      name: { 'ui:autofocus': true },
      owner: { 'ui:field': 'OwnerPicker', 'ui:options': { catalogFilter: { kind: 'Group' } } },
      key: { 'ui:widget': 'password' },
    });
  });

  it('finds hints in lists, branches and nested objects', () => {
    const { ui } = splitUI({
      properties: {
        list: { type: 'array', items: { type: 'string', 'ui:widget': 'textarea' } },
        o: { properties: { x: { 'ui:help': 'h' } } },
      },
      // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
      allOf: [{ then: { properties: { extra: { type: 'string', 'ui:widget': 'password' } } } }],
    });
    expect(ui).toEqual({
      list: { items: { 'ui:widget': 'textarea' } },
      o: { x: { 'ui:help': 'h' } },
      extra: { 'ui:widget': 'password' },
    });
  });

  it('goes back to the page whose field the server refused', () => {
    const pages = [
      { title: 'a', schema: { properties: { port: {} } } },
      { title: 'b', schema },
    ];
    const problem = new Problem(422, 'x', 'x', [{ location: 'values.name', message: 'taken' }]);
    expect(pageOfError(problem, pages)).toBe(1);
    expect(pageOfError(new Problem(409, 'x', 'x'), pages)).toBe(-1);
    expect(fieldsOf(schema)).toEqual(['name', 'owner', 'port', 'key']);
  });

  const deep = {
    title: 'deep',
    schema: {
      properties: {
        ci: { type: 'string' },
        db: { properties: { user: {}, pass: { type: 'string', writeOnly: true } } },
      },
      // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
      allOf: [{ if: { properties: { ci: { const: 'x' } } }, then: { properties: { host: { title: 'Host' } } } }],
      dependencies: {
        ci: { oneOf: [{ properties: { ci: { const: 'x' }, token: { title: 'Token', 'ui:field': 'Secret' } } }] },
        db: ['ci'],
      },
      definitions: { login: { properties: { key: { type: 'string', 'ui:field': 'Secret' } } } },
    },
  };
  const entered = { ci: 'x', db: { user: 'u', pass: 'p' }, host: 'h', token: 'hush', elsewhere: 1 };

  it('shows what was filled in, also in branches, but no secret, however deep it lies', () => {
    expect(filled([{ title: '', schema }], { name: 'shop', port: 80, key: 'hush' })).toEqual([
      ['Name', 'shop'],
      ['port', '80'],
      ['key', '••••••'],
    ]);
    expect(filled([deep], entered)).toEqual([
      ['ci', 'x'],
      ['db', '{"user":"u","pass":"••••••"}'],
      ['Host', 'h'],
      ['Token', '••••••'],
    ]);
  });

  it('gives secrets by their names, as templates read them', () => {
    expect(secretsOf([{ title: '', schema }, deep], { ...entered, key: 'k' })).toEqual({ key: 'k', token: 'hush' });
  });

  it('gives the command that does the same, without secrets', () => {
    const page = { title: '', schema: { properties: { ...schema.properties, title: {}, none: {} } } };
    const values = { name: 'shop', title: "it's", port: 80, none: '', key: 'hush' };
    expect(command('default', 'go-service', [page], values)).toBe(
      `roadbed new go-service -p name=shop -p 'title=it'\\''s' -p port=80`,
    );
    const all = command('team', 'service', [deep], entered);
    expect(all).toContain('roadbed new team/service -p ci=x');
    expect(all).not.toMatch(/hush|pass/);
  });

  it('shows secrets as passwords, and widgets that nobody has as what their schema says', () => {
    const { ui } = splitUI({
      properties: {
        a: { type: 'string', 'ui:field': 'Secret' },
        b: { type: 'string', 'ui:widget': 'secret' },
        c: { type: 'string', writeOnly: true },
        d: { type: 'string', 'ui:widget': 'no-such' },
        e: { type: 'integer', 'ui:widget': 'textarea', 'ui:options': { widget: 'no-such', rows: 3 } },
        f: { type: 'string', 'ui:widget': 'textarea' },
        g: { type: 'object', 'ui:widget': 'hidden' },
      },
    });
    expect(ui).toEqual({
      a: { 'ui:widget': 'password' },
      b: { 'ui:widget': 'password' },
      c: { 'ui:widget': 'password' },
      e: { 'ui:options': { rows: 3, widget: undefined } },
      f: { 'ui:widget': 'textarea' },
      g: { 'ui:widget': 'hidden' },
    });
  });

  it('walks dependencies and definitions for hints', () => {
    const { schema: plain, ui } = splitUI({
      properties: { login: { $ref: '#/definitions/login' } },
      definitions: deep.schema.definitions,
      dependencies: deep.schema.dependencies,
    });
    expect(JSON.stringify(plain)).not.toContain('ui:');
    expect(plain.dependencies).toMatchObject({ db: ['ci'] });
    expect(ui).toEqual({ login: { key: { 'ui:widget': 'password' } } });
    const { ui: hinted } = splitUI({ dependencies: { ci: { properties: { owner: { 'ui:field': 'OwnerPicker' } } } } });
    expect(hinted).toEqual({ owner: { 'ui:field': 'OwnerPicker' } });
  });

  it('asks of a name of an entity that it is one', () => {
    const { schema: plain } = splitUI({ properties: { name: { type: 'string', 'ui:field': 'EntityNamePicker' } } });
    expect(check(plain, { name: 'a shop' }).length).toBe(1);
    expect(check(plain, { name: 'shop-1' })).toEqual([]);
  });
});

describe('a picker', () => {
  it('asks for what its filters allow, each on its own', () => {
    expect(filtersOf({}, ['Group', 'User'])).toEqual([{ kind: 'group,user' }]);
    expect(filtersOf({ allowedKinds: ['System'] })).toEqual([{ kind: 'system' }]);
    expect(
      filtersOf({
        catalogFilter: [
          { kind: 'Component', 'spec.type': ['service', 'website'] },
          { kind: ['API'], 'metadata.namespace': 'eu', 'metadata.annotations.x': { exists: true } },
        ],
      }),
    ).toEqual([
      { kind: 'component', type: 'service,website' },
      { kind: 'api', namespace: 'eu' },
    ]);
  });

  it('completes a name by what the template says of it', () => {
    expect(completed('pay', { defaultKind: 'Group' })).toBe('group:default/pay');
    expect(completed('eu/pay', { defaultKind: 'Group', defaultNamespace: 'us' })).toBe('group:eu/pay');
    expect(completed('pay', { defaultKind: 'Group', defaultNamespace: 'us' })).toBe('group:us/pay');
    expect(completed('user:default/ann', { defaultKind: 'Group' })).toBe('user:default/ann');
    expect(completed('pay', {})).toBe('pay');
    expect(completed('two words', { defaultKind: 'Group' })).toBe('two words');
  });

  it('writes the address of a repository when all of it is known', () => {
    expect(writeRepoUrl({ host: 'roadbed', owner: 'team', repo: '' })).toBeUndefined();
    const whole = writeRepoUrl({ host: 'git.example', owner: 'a b', repo: 'x&y' });
    expect(readRepoUrl(whole)).toEqual({ host: 'git.example', owner: 'a b', repo: 'x&y' });
    expect(readRepoUrl(undefined)).toEqual({ host: '', owner: '', repo: '' });
  });
});

it('says in words what a pattern takes', () => {
  expect(patternWords('^[a-z][a-z0-9-]*$')).toBe("takes only small letters, digits and '-', and begins with a letter");
  expect(patternWords('^[a-z]+$')).toBe('takes only small letters');
  expect(patternWords('^[A-Za-z0-9_.-]{1,63}$')).toBe("takes only letters, digits, '-', '_' and '.'");
  expect(patternWords('^\\d{4}$')).toBe('does not have the form ^\\d{4}$');
  expect(patternWords('^[')).toBe('does not have the form ^[');
});

describe('the validator', () => {
  it('tells each wrong field in words, at its place', () => {
    const errors = check(splitUI(schema).schema, { name: 'X', port: 80 });
    expect(errors.map((e) => `${e.property} ${e.message}`).sort()).toEqual([
      '.name needs at least 2 characters',
      '.name takes only small letters',
      '.owner is needed',
      '.port must be 1024 or more',
    ]);
    expect(check(schema, { name: 'shop', owner: 'group:default/x' })).toEqual([]);
  });

  it('gives rjsf errors by field', () => {
    const { errorSchema } = validator.validateFormData({ name: 'shop' }, splitUI(schema).schema);
    expect(errorSchema).toMatchObject({ owner: { __errors: ['is needed'] } });
  });

  it('decides between branches with definitions of the root', () => {
    const root = { definitions: { small: { type: 'number', maximum: 3 } } } as const;
    expect(validator.isValid({ $ref: '#/definitions/small' }, 2, root)).toBe(true);
    expect(validator.isValid({ $ref: '#/definitions/small' }, 9, root)).toBe(false);
  });
});
