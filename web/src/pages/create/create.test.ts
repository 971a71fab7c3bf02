import { describe, expect, it } from 'vitest';
import { Problem } from '../../api/problem';
import { command, fieldsOf, filled, pageOfError, splitUI } from './form';
import { check, validator } from './validator';

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
    });
  });

  it('finds hints in lists, branches and nested objects', () => {
    const { ui } = splitUI({
      properties: {
        list: { type: 'array', items: { 'ui:widget': 'textarea' } },
        o: { properties: { x: { 'ui:help': 'h' } } },
      },
      // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
      allOf: [{ then: { properties: { extra: { 'ui:widget': 'password' } } } }],
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

  it('shows what was filled in, but no secret', () => {
    expect(filled([{ title: '', schema }], { name: 'shop', port: 80, key: 'hush' })).toEqual([
      ['Name', 'shop'],
      ['port', '80'],
      ['key', '••••••'],
    ]);
  });

  it('gives the command that does the same', () => {
    expect(command('default', 'go-service', { name: 'shop', title: "it's", port: 80, none: '' })).toBe(
      `roadbed new go-service -p name=shop -p 'title=it'\\''s' -p port=80`,
    );
  });
});

describe('the validator', () => {
  it('tells each wrong field in words, at its place', () => {
    const errors = check(splitUI(schema).schema, { name: 'X', port: 80 });
    expect(errors.map((e) => `${e.property} ${e.message}`).sort()).toEqual([
      '.name does not match ^[a-z]+$',
      '.name needs at least 2 characters',
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
