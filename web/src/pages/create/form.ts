import type { UiSchema } from '@rjsf/utils';
import type { Problem } from '../../api/problem';
import type { TemplatePage } from '../../api/types';

type Schema = Record<string, unknown>;

const isObject = (v: unknown): v is Schema => v !== null && typeof v === 'object' && !Array.isArray(v);

/** Pickers that the portal has; any other ui:field of a golden path is shown by what its schema says, mostly a text. */
export const pickers = ['OwnerPicker', 'EntityPicker', 'OwnedEntityPicker', 'MultiEntityPicker', 'EntityNamePicker'];

/** Takes the ui: hints out of a schema, as Backstage writes them within it, into the form's own description. */
export function splitUI(schema: unknown): { schema: Schema; ui: UiSchema } {
  const clean: Schema = {};
  const ui: UiSchema = {};
  for (const [key, value] of Object.entries(isObject(schema) ? schema : {})) {
    if (key === 'ui:field') {
      if (pickers.includes(String(value))) ui[key] = value as string;
    } else if (key.startsWith('ui:')) {
      ui[key] = value;
    } else if ((key === 'properties' || key === 'definitions' || key === '$defs') && isObject(value)) {
      const inner: Schema = {};
      for (const [name, property] of Object.entries(value)) {
        const split = splitUI(property);
        inner[name] = split.schema;
        if (key === 'properties' && Object.keys(split.ui).length > 0) ui[name] = split.ui;
      }
      clean[key] = inner;
    } else if (key === 'items' && isObject(value)) {
      const split = splitUI(value);
      clean.items = split.schema;
      if (Object.keys(split.ui).length > 0) ui.items = split.ui;
    } else if (['oneOf', 'anyOf', 'allOf'].includes(key) && Array.isArray(value)) {
      clean[key] = value.map((one) => {
        const split = splitUI(one);
        for (const [name, hints] of Object.entries(split.ui)) ui[name] ??= hints;
        return split.schema;
      });
    } else if (['then', 'else', 'if'].includes(key) && isObject(value)) {
      const split = splitUI(value);
      for (const [name, hints] of Object.entries(split.ui)) ui[name] ??= hints;
      clean[key] = split.schema;
    } else {
      clean[key] = value;
    }
  }
  return { schema: clean, ui };
}

/** The names of the fields on a page, in the form's order. */
export function fieldsOf(schema: unknown): string[] {
  if (!isObject(schema) || !isObject(schema.properties)) return [];
  const names = Object.keys(schema.properties);
  const first = Array.isArray(schema['ui:order']) ? schema['ui:order'].filter((name) => names.includes(name)) : [];
  return [...first, ...names.filter((name) => !first.includes(name))];
}

/** The first page that holds a field which the server named; -1 when it named none. */
export function pageOfError(problem: Problem, pages: TemplatePage[]): number {
  return pages.findIndex((page) =>
    fieldsOf(page.schema).some((f) => problem.places.some((p) => (p.location ?? '').split(/[./[\]\s]+/).includes(f))),
  );
}

const quoted = (text: string) => (/^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** Titles and values of what was filled in; secrets are not shown. */
export function filled(pages: TemplatePage[], values: Record<string, unknown>): [string, string][] {
  return pages.flatMap((page) => {
    const properties = isObject(page.schema) && isObject(page.schema.properties) ? page.schema.properties : {};
    return fieldsOf(page.schema).flatMap((name): [string, string][] => {
      const property = properties[name];
      const value = values[name];
      if (value === undefined || value === '') return [];
      const p = isObject(property) ? property : {};
      const hidden = p['ui:field'] === 'Secret' || p['ui:widget'] === 'password';
      const shown = hidden ? '••••••' : typeof value === 'string' ? value : JSON.stringify(value);
      return [[String(p.title ?? name), shown]];
    });
  });
}

/** The command that does the same as the form. */
export function command(namespace: string, name: string, values: Record<string, unknown>): string {
  const template = namespace === 'default' ? name : `${namespace}/${name}`;
  const given = Object.entries(values)
    .filter(([, v]) => v !== undefined && v !== '')
    .map(([k, v]) => ` -p ${quoted(`${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`)}`);
  return `roadbed new ${template}${given.join('')}`;
}
