import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
// @ts-expect-error: it brings no types
import { loadAll } from 'js-yaml';
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import type { TemplatePage } from '../../api/types';
import { command, fieldsOf, filled, isObject } from './form';
import PageForm from './PageForm';
import { splitUI } from './ui';
import { check } from './validator';

/** Real golden paths, where they lie beside the repository. */
const corpus = new URL('../../../../../shared/corpus/templates', import.meta.url).pathname;

function templates(): [string, TemplatePage[]][] {
  const files = readdirSync(corpus, { recursive: true, encoding: 'utf8' }).filter((f) => /\.ya?ml$/.test(f));
  return files.flatMap((file): [string, TemplatePage[]][] => {
    let documents: unknown[];
    try {
      documents = loadAll(readFileSync(join(corpus, file), 'utf8'));
    } catch {
      return []; // a skeleton, before it is rendered
    }
    return documents.flatMap((d): [string, TemplatePage[]][] => {
      if (!isObject(d) || d.kind !== 'Template' || !isObject(d.spec)) return [];
      const pages = [d.spec.parameters].flat().filter(isObject);
      return pages.length > 0 ? [[file, pages.map((schema) => ({ title: String(schema.title ?? ''), schema }))]] : [];
    });
  });
}

/** A page of a form as a browser gets it. */
function drawn(page: TemplatePage): string {
  const form = createElement(PageForm, { page, values: {}, errors: {}, change: () => {}, next: () => {} });
  return renderToStaticMarkup(
    createElement(QueryClientProvider, { client: new QueryClient() }, createElement(MantineProvider, null, form)),
  );
}

/** Whether hints are left where a validator would read them as schema: names and values may be called anything. */
function hinted(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hinted);
  if (!isObject(value)) return false;
  return Object.entries(value).some(
    ([k, v]) => k.startsWith('ui:') || (!['default', 'const', 'enum'].includes(k) && hinted(v)),
  );
}

describe.skipIf(!existsSync(corpus))('real golden paths (skipped: there is no corpus)', () => {
  it('are drawn, checked and reviewed', () => {
    const all = templates();
    expect(all.length).toBeGreaterThan(20);
    for (const [file, pages] of all) {
      for (const page of pages) {
        const { schema } = splitUI(page.schema);
        expect(hinted(schema), file).toBe(false);
        expect(() => check(schema, {}), file).not.toThrow();
        let markup = '';
        expect(() => {
          markup = drawn(page);
        }, file).not.toThrow();
        expect(markup, file).not.toContain('Unsupported field schema');
        expect(markup, file).not.toContain('Unknown field type');
        if (fieldsOf(page.schema).length > 0)
          expect(markup, file).toMatch(/<(input|select|textarea|button type="button")/);
      }
      expect(() => filled(pages, { name: 'x' }), file).not.toThrow();
      expect(command('default', 'one', pages, {}), file).toBe('roadbed new one');
    }
  });
});
