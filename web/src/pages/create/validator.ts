import { type Schema, Validator } from '@cfworker/json-schema';
import {
  type CustomValidator,
  createErrorHandler,
  type ErrorSchema,
  type ErrorTransformer,
  type RJSFSchema,
  type RJSFValidationError,
  toErrorSchema,
  type UiSchema,
  unwrapErrorHandler,
  type ValidatorType,
  validationDataMerge,
} from '@rjsf/utils';

// The usual validator of rjsf compiles schemas with new Function, which the server's policy on content forbids.
// This one interprets them.

/** Validators that only carry what other errors tell in more words. */
const carriers = new Set([
  'properties',
  'items',
  'allOf',
  'anyOf',
  'oneOf',
  'if',
  'then',
  'else',
  '$ref',
  'additionalProperties',
  'dependencies',
  'dependentSchemas',
]);

function pathOf(pointer: string): string[] {
  return pointer
    .replace(/^#\/?/, '')
    .split('/')
    .filter(Boolean)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'));
}

function words(keyword: string, error: string, schema: Record<string, unknown> | undefined): string {
  switch (keyword) {
    case 'required':
      return 'is needed';
    case 'minLength':
      return schema?.minLength === 1 ? 'is needed' : `needs at least ${schema?.minLength} characters`;
    case 'maxLength':
      return `takes at most ${schema?.maxLength} characters`;
    case 'pattern':
      return patternWords(String(schema?.pattern));
    case 'minimum':
      return `must be ${schema?.minimum} or more`;
    case 'maximum':
      return `must be ${schema?.maximum} or less`;
    case 'type':
      return `must be of type ${schema?.type}`;
    default:
      return error;
  }
}

/** What a pattern of names takes, found by trying it; the pattern itself where that does not tell. */
export function patternWords(pattern: string): string {
  let takes = (_: string) => false;
  try {
    const tried = new RegExp(pattern, 'u');
    takes = (text) => tried.test(text);
  } catch {
    // a pattern that this browser can't read takes nothing
  }
  const small = takes('abcde');
  const large = takes('ABCDE');
  if ((!small && !large) || takes('a€c')) return `does not have the form ${pattern}`;
  const letter = small ? 'a' : 'A';
  const within = (mark: string) => takes(`${letter}${letter}${mark}${letter}${letter}`);
  const marks = [
    [small && large ? 'letters' : small ? 'small letters' : 'capital letters', true],
    ['digits', within('1')],
    ["'-'", within('-')],
    ["'_'", within('_')],
    ["'.'", within('.')],
    ["'/'", within('/')],
    ['spaces', within(' ')],
  ].flatMap(([name, taken]) => (taken ? [name as string] : []));
  const all = marks.length > 1 ? `${marks.slice(0, -1).join(', ')} and ${marks.at(-1)}` : marks[0];
  const first = within('1') && !takes(`1${letter.repeat(4)}`) ? ', and begins with a letter' : '';
  return `takes only ${all}${first}`;
}

/** The schema of the value at a path, as far as properties and items lead there. */
function schemaAt(schema: unknown, path: string[]): Record<string, unknown> | undefined {
  let at = schema as Record<string, unknown> | undefined;
  for (const part of path) {
    const properties = at?.properties as Record<string, Record<string, unknown>> | undefined;
    at = properties?.[part] ?? (at?.items as Record<string, unknown> | undefined);
  }
  return at;
}

export function check(schema: unknown, data: unknown): RJSFValidationError[] {
  const { errors } = new Validator(schema as Schema, '7', false).validate(data ?? {});
  return errors
    .filter((e) => !carriers.has(e.keyword))
    .map((e) => {
      const path = pathOf(e.instanceLocation);
      const missing = e.keyword === 'required' ? /"([^"]+)"/.exec(e.error)?.[1] : undefined;
      const whole = missing ? [...path, missing] : path;
      const message = words(e.keyword, e.error, schemaAt(schema, whole));
      return { name: e.keyword, property: `.${whole.join('.')}`, message, stack: `${whole.join('.')} ${message}` };
    });
}

class Interpreted implements ValidatorType {
  isValid(schema: RJSFSchema, data: unknown, root: RJSFSchema): boolean {
    const whole = { definitions: root.definitions, $defs: root.$defs, ...schema };
    return new Validator(whole as Schema, '7').validate(data ?? null).valid;
  }

  rawValidation<Result>(schema: RJSFSchema, data?: unknown) {
    return { errors: check(schema, data) as Result[] };
  }

  validateFormData(
    data: unknown,
    schema: RJSFSchema,
    custom?: CustomValidator,
    transform?: ErrorTransformer,
    ui?: UiSchema,
  ) {
    let errors = check(schema, data);
    if (transform) errors = transform(errors, ui);
    const found = { errors, errorSchema: toErrorSchema(errors) as ErrorSchema };
    if (!custom) return found;
    return validationDataMerge(found, unwrapErrorHandler(custom(data, createErrorHandler(data), ui)));
  }

  reset() {}
}

export const validator: ValidatorType = new Interpreted();
export default validator;
