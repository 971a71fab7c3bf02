import { getDefaultRegistry } from '@rjsf/core';
import { Widgets } from '@rjsf/mantine';
import { hasWidget, type UiSchema } from '@rjsf/utils';
import { isObject, isSecret, resolve, type Schema } from './form';

/** Fields that the portal draws itself; any other ui:field is shown by what its schema says, mostly a text. */
export const fieldNames = [
  'OwnerPicker',
  'EntityPicker',
  'OwnedEntityPicker',
  'MultiEntityPicker',
  'MyGroupsPicker',
  'EntityTagsPicker',
  'RepoUrlPicker',
];

const widgets = { ...getDefaultRegistry().widgets, ...Widgets };

/** What a name of an entity must be, where a template only says that it is one. */
const entityName = { pattern: '^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$', maxLength: 63 };

/** Adds hints to those that are there already, which go first. */
function merge(into: UiSchema, hints: UiSchema) {
  for (const [name, hint] of Object.entries(hints)) {
    if (isObject(into[name]) && isObject(hint) && name !== 'ui:options')
      merge(into[name] as UiSchema, hint as UiSchema);
    else into[name] ??= hint;
  }
}

function known(schema: Schema, widget: unknown): boolean {
  if (widget === 'hidden') return true;
  try {
    return hasWidget(schema, String(widget), widgets);
  } catch {
    return false;
  }
}

const named = new Set(['properties', 'patternProperties', 'definitions', '$defs', 'dependencies', 'dependentSchemas']);
const single = new Set(['items', 'additionalItems', 'additionalProperties', 'then', 'else', 'if', 'not']);

/**
 * Takes the ui: hints out of a schema, as Backstage writes them within it, into the form's own description. Hints that
 * a branch gives for a field hold for that field wherever it comes from.
 */
export function splitUI(schema: unknown): { schema: Schema; ui: UiSchema } {
  return split(schema, isObject(schema) ? schema : {}, 0);
}

function split(given: unknown, root: Schema, references: number): { schema: Schema; ui: UiSchema } {
  const schema: Schema = {};
  const ui: UiSchema = {};
  const source = isObject(given) ? given : {};
  for (const [key, value] of Object.entries(source)) {
    if (key.startsWith('ui:')) {
      hint(ui, schema, source, key, value);
    } else if (key === 'enumNames') {
      ui['ui:enumNames'] = value as string[]; // how older templates name what may be chosen
    } else if (named.has(key) && isObject(value)) {
      const inner: Schema = {};
      for (const [name, property] of Object.entries(value)) {
        if (!isObject(property)) {
          inner[name] = property;
          continue;
        }
        const one = split(property, root, references);
        inner[name] = one.schema;
        if (key === 'properties' && Object.keys(one.ui).length > 0) merge(ui, { [name]: one.ui });
        if (key === 'dependencies' || key === 'dependentSchemas') merge(ui, one.ui);
      }
      schema[key] = inner;
    } else if (single.has(key) && isObject(value)) {
      const one = split(value, root, references);
      schema[key] = one.schema;
      if (key === 'then' || key === 'else' || key === 'if') merge(ui, one.ui);
      else if (key !== 'not' && Object.keys(one.ui).length > 0) ui[key] = one.ui;
    } else if (['oneOf', 'anyOf', 'allOf', 'items'].includes(key) && Array.isArray(value)) {
      const all = value.map((one) =>
        isObject(one) ? split(one, root, references) : { schema: one as Schema, ui: {} },
      );
      schema[key] = all.map((one) => one.schema);
      if (key === 'items') ui.items = all.map((one) => one.ui) as unknown as UiSchema;
      else for (const one of all) merge(ui, one.ui);
    } else {
      schema[key] = value;
    }
  }
  if (isSecret(source) && known(source, 'password')) ui['ui:widget'] = 'password';
  const target = references < 8 ? resolve(root, source.$ref) : undefined; // a schema may refer to itself
  if (target) merge(ui, split(target, root, references + 1).ui);
  return { schema, ui };
}

function hint(ui: UiSchema, schema: Schema, source: Schema, key: string, value: unknown) {
  if (key === 'ui:field' && value === 'EntityNamePicker') {
    if (!source.pattern) Object.assign(schema, entityName);
  } else if (key === 'ui:field') {
    if (fieldNames.includes(String(value))) ui[key] = value as string;
  } else if (key === 'ui:widget') {
    if (known(source, value)) ui[key] = value as string;
  } else if (key === 'ui:options' && isObject(value) && value.widget && !known(source, value.widget)) {
    ui[key] = { ...value, widget: undefined } as UiSchema['ui:options'];
  } else {
    ui[key] = value;
  }
}
