import type { Problem } from '../../api/problem';
import type { TemplatePage } from '../../api/types';

export type Schema = Record<string, unknown>;

export const isObject = (v: unknown): v is Schema => v !== null && typeof v === 'object' && !Array.isArray(v);

/** What a reference within a schema, such as #/definitions/port, points to. */
export function resolve(root: Schema, pointer: unknown): unknown {
  if (typeof pointer !== 'string' || !pointer.startsWith('#/')) return undefined;
  return pointer
    .slice(2)
    .split('/')
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((at, part) => (isObject(at) ? at[part] : undefined), root);
}

/** A schema, and all that may hold in its place besides: what it refers to, and its branches. */
function branches(schema: unknown, root: Schema, depth = 0): Schema[] {
  if (!isObject(schema) || depth > 20) return [];
  const within: unknown[] = [resolve(root, schema.$ref), schema.then, schema.else];
  for (const key of ['allOf', 'anyOf', 'oneOf']) if (Array.isArray(schema[key])) within.push(...schema[key]);
  for (const key of ['dependencies', 'dependentSchemas']) {
    if (isObject(schema[key])) within.push(...Object.values(schema[key]));
  }
  return [schema, ...within.flatMap((one) => branches(one, root, depth + 1))];
}

/** The fields that schemas declare, also in branches that hold only for some values, in the form's order. */
function fieldsIn(schemas: Schema[], root: Schema): Map<string, Schema[]> {
  const found = new Map<string, Schema[]>();
  const all = schemas.flatMap((schema) => branches(schema, root));
  const order = all.flatMap((schema) => (Array.isArray(schema['ui:order']) ? schema['ui:order'] : []));
  for (const name of order) if (typeof name === 'string' && name !== '*') found.set(name, []);
  for (const schema of all) {
    for (const [name, property] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
      found.set(name, [...(found.get(name) ?? []), ...(isObject(property) ? [property] : [])]);
    }
  }
  for (const [name, properties] of found) if (properties.length === 0) found.delete(name);
  return found;
}

const rootOf = (schema: unknown): Schema => (isObject(schema) ? schema : {});

/** The names of the fields on a page, in the form's order. */
export function fieldsOf(schema: unknown): string[] {
  return [...fieldsIn([rootOf(schema)], rootOf(schema)).keys()];
}

/** The first page that holds a field which the server named; -1 when it named none. */
export function pageOfError(problem: Problem, pages: TemplatePage[]): number {
  return pages.findIndex((page) =>
    fieldsOf(page.schema).some((f) => problem.places.some((p) => (p.location ?? '').split(/[./[\]\s]+/).includes(f))),
  );
}

/** Whether a form shows a field as a secret, in any of the ways that templates say it. */
export function isSecret(property: Schema): boolean {
  return (
    property['ui:field'] === 'Secret' ||
    property['ui:widget'] === 'password' ||
    property['ui:widget'] === 'secret' ||
    property.format === 'password' ||
    property.writeOnly === true
  );
}

/** Visits each value of a form with the schemas that may be its own; what the visit gives takes its place. */
function map(
  value: unknown,
  schemas: Schema[],
  root: Schema,
  visit: (value: unknown, own: Schema[]) => unknown,
): unknown {
  const own = schemas.flatMap((schema) => branches(schema, root));
  const seen = visit(value, own);
  if (Array.isArray(seen)) {
    const items = own.flatMap((s) => [s.items, s.additionalItems].flat()).filter(isObject);
    return seen.map((one) => map(one, items, root, visit)).filter((one) => one !== undefined);
  }
  if (!isObject(seen)) return seen;
  const fields = fieldsIn(own, root);
  const others = own.map((s) => s.additionalProperties).filter(isObject);
  const entries = Object.entries(seen).map(([k, v]) => [k, map(v, fields.get(k) ?? others, root, visit)] as const);
  return Object.fromEntries(entries.filter(([, v]) => v !== undefined));
}

type Values = Record<string, unknown>;

/** The values of the fields of a page with other values in place of its secrets; undefined leaves them out. */
function covered(page: TemplatePage, values: Values, cover: string | undefined): Values {
  const root = rootOf(page.schema);
  const own = Object.fromEntries(Object.entries(values).filter(([name]) => fieldsOf(root).includes(name)));
  return map(own, [root], root, (value, schemas) =>
    schemas.some(isSecret) && value !== own ? cover : value,
  ) as Values;
}

const empty = (v: unknown) => v === undefined || v === '';
const written = (v: unknown) => (typeof v === 'string' ? v : JSON.stringify(v));

/** Titles and values of what was filled in; secrets are not shown, however deep they lie. */
export function filled(pages: TemplatePage[], values: Values): [string, string][] {
  return pages.flatMap((page) => {
    const shown = covered(page, values, '••••••');
    return [...fieldsIn([rootOf(page.schema)], rootOf(page.schema))].flatMap(([name, schemas]): [string, string][] =>
      empty(shown[name]) ? [] : [[String(schemas.find((s) => s.title)?.title ?? name), written(shown[name])]],
    );
  });
}

/** What was entered in fields of the kind Secret, by their names: templates read it as secrets.NAME. */
export function secretsOf(pages: TemplatePage[], values: Values): Values {
  const found: Values = {};
  for (const { schema } of pages) {
    const root = rootOf(schema);
    const walk = (value: unknown, schemas: Schema[]) => {
      const fields = fieldsIn(schemas, root);
      for (const [name, inner] of Object.entries(isObject(value) ? value : {})) {
        const own = fields.get(name) ?? [];
        if (own.some((s) => s['ui:field'] === 'Secret') && !empty(inner)) found[name] = inner;
        else walk(inner, own);
      }
    };
    walk(values, [root]);
  }
  return found;
}

const quoted = (text: string) => (/^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** The command that does the same as the form. It asks for the secrets: they are not to lie in a shell's history. */
export function command(namespace: string, name: string, pages: TemplatePage[], values: Values): string {
  const template = namespace === 'default' ? name : `${namespace}/${name}`;
  const given = Object.assign({}, ...pages.map((page) => covered(page, values, undefined))) as Values;
  const parameters = Object.entries(given)
    .filter(([, v]) => !empty(v))
    .map(([k, v]) => ` -p ${quoted(`${k}=${written(v)}`)}`);
  return `roadbed new ${template}${parameters.join('')}`;
}
