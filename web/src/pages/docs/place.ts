import { parseRef } from '../../words/ref';

/** The address of a page of an entity's docs; "" is the first one. */
export function docsPath(entity: string, path = '', rev?: string, anchor?: string): string {
  const ref = parseRef(entity);
  if (!ref) return '/docs';
  const page = path && `/${path.split('/').map(encodeURIComponent).join('/')}`;
  const query = rev ? `?ref=${encodeURIComponent(rev)}` : '';
  return `/docs/${ref.namespace}/${ref.kind}/${ref.name}${page}${query}${anchor ? `#${anchor}` : ''}`;
}

/** The element that an anchor of a page names. */
export function anchored(root: HTMLElement, hash: string): HTMLElement | undefined {
  const name = hash.startsWith('doc-') ? hash : `doc-${hash}`;
  return [...root.querySelectorAll<HTMLElement>('[id]')].find((e) => e.id === name);
}

/** Where a link of a page leads within the portal; undefined for one that the browser follows by itself. */
export function inPortal(href: string): string | undefined {
  if (!href.startsWith('/') || href.startsWith('//') || /^\/(api|git|v2)\//.test(href)) return undefined;
  return href;
}
