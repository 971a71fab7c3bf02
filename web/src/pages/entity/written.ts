import type { Entity } from '../../api/types';

export interface EntityLink {
  url: string;
  title?: string;
  icon?: string;
  type?: string;
}

/** What people wrote of an entity besides its fields, whatever it was when they did. */
interface Written {
  metadata?: { links?: unknown; labels?: unknown; annotations?: unknown };
  spec?: unknown;
}

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const metadataOf = (entity: Pick<Entity, 'document'>) =>
  (isMap(entity.document) ? (entity.document as Written).metadata : undefined) ?? {};

export function specOf(entity: Pick<Entity, 'document'>): Record<string, unknown> {
  const spec = isMap(entity.document) ? (entity.document as Written).spec : undefined;
  return isMap(spec) ? spec : {};
}

/** The address that a text leads to on the web or by mail, as browsers read it; undefined for any other text. */
export function outward(text: string): string | undefined {
  if (!/^(https?:\/\/|mailto:)\S+$/i.test(text)) return undefined;
  try {
    return new URL(text).href;
  } catch {
    return undefined;
  }
}

/** Where a value leads, which Backstage writes with "url:" in front where it may also be a file. */
export const target = (value: string): string | undefined => outward(value.replace(/^url:/, ''));

/** What a link is called: by its title, or by where it leads. */
export function titleOf(link: EntityLink): string {
  if (link.title) return link.title;
  const address = outward(link.url);
  if (!address) return link.url;
  const { host, pathname } = new URL(address);
  return host || pathname;
}

export interface LinkGroup {
  type?: string;
  links: EntityLink[];
}

/** The links of an entity by their type; those without one come first. */
export function linksOf(entity: Pick<Entity, 'document'>): LinkGroup[] {
  const { links } = metadataOf(entity);
  const groups = new Map<string, LinkGroup>([['', { links: [] }]]);
  for (const link of Array.isArray(links) ? links : []) {
    if (!isMap(link) || typeof link.url !== 'string') continue;
    const type = typeof link.type === 'string' ? link.type : '';
    const group = groups.get(type) ?? { type, links: [] };
    group.links.push(link as unknown as EntityLink);
    groups.set(type, group);
  }
  return [...groups.values()].filter((g) => g.links.length > 0);
}

/** Labels or annotations, in the order of their keys. */
export function pairsOf(entity: Pick<Entity, 'document'>, of: 'labels' | 'annotations'): [string, string][] {
  const pairs = metadataOf(entity)[of];
  if (!isMap(pairs)) return [];
  return Object.entries(pairs)
    .map(([key, value]): [string, string] => [key, String(value)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The kinds that have docs beside the file that declares them, without saying so. */
const documented = new Set(['Component', 'API', 'System', 'Domain', 'Resource', 'Template', 'Product', 'Platform']);

/** Whether it may have docs: by its kind, or since it says where they are. */
export const hasDocs = (entity: Pick<Entity, 'kind' | 'document'>): boolean =>
  documented.has(entity.kind) ||
  pairsOf(entity, 'annotations').some(
    ([key]) => key === 'backstage.io/techdocs-ref' || key === 'backstage.io/techdocs-entity',
  );

/** Whether its docs are in the repository of the file that declares it, so that the commit of the one is that of the other. */
export const docsBeside = (entity: Pick<Entity, 'commit' | 'document'>): boolean => {
  const said = new Map(pairsOf(entity, 'annotations'));
  const at = said.get('backstage.io/techdocs-ref')?.trim();
  if (!entity.commit) return false;
  return at ? at.startsWith('dir:') : !said.has('backstage.io/techdocs-entity');
};

export interface Remote {
  type: string;
  url: string;
}

/** Where an API without a definition is reached, as those of the type mcp-server say. */
export function remotesOf(entity: Pick<Entity, 'document'>): Remote[] {
  const { remotes } = specOf(entity);
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return (Array.isArray(remotes) ? remotes : [])
    .filter(isMap)
    .map((r) => ({ type: text(r.type), url: text(r.url) }))
    .filter((r) => r.url !== '');
}

export const hasDefinition = (entity: Pick<Entity, 'document'>): boolean => {
  const { definition } = specOf(entity);
  return definition !== undefined && definition !== null;
};
