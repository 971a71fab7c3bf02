import type { EntityFilter } from '../../api/queries';
import { wholeRef } from '../../words/ref';
import { isObject } from './form';

/** What a picker's ui:options say, as Backstage names it. */
export interface PickerOptions {
  catalogFilter?: unknown;
  allowedKinds?: unknown;
  defaultKind?: string;
  defaultNamespace?: string;
  allowArbitraryValues?: boolean;
  allowedHosts?: unknown;
  allowedOwners?: unknown;
  allowedRepos?: unknown;
}

/** The texts of a list; what else somebody wrote into it is passed over. */
export const texts = (value: unknown): string[] =>
  [value].flat().filter((v): v is string => typeof v === 'string' && v !== '');

const listed = (value: unknown): string | undefined => {
  const words = texts(value);
  return words.length > 0 ? words.join(',') : undefined;
};

/**
 * The questions to the catalog for what a picker allows: one for each of its filters, whose answers are put together.
 * A filter asks for kind, spec.type, spec.owner and metadata.namespace; what else it holds is left to whoever chooses.
 */
export function filtersOf(options: PickerOptions, otherwise: string[] = []): EntityFilter[] {
  const kinds = listed(options.allowedKinds);
  const given = [options.catalogFilter].flat().filter(isObject);
  if (given.length === 0) return [{ kind: (kinds ?? listed(otherwise))?.toLowerCase() }];
  return given.map((filter) => ({
    kind: (listed(filter.kind) ?? kinds ?? listed(otherwise))?.toLowerCase(),
    type: listed(filter['spec.type']),
    owner: typeof filter['spec.owner'] === 'string' ? filter['spec.owner'] : undefined,
    namespace: typeof filter['metadata.namespace'] === 'string' ? filter['metadata.namespace'] : undefined,
  }));
}

/** A reference in full, when a name alone was typed and the picker says of what kind it is. */
export function completed(text: string, { defaultKind, defaultNamespace }: PickerOptions): string {
  return wholeRef(text, defaultKind, defaultNamespace);
}

export interface RepoUrl {
  host: string;
  owner: string;
  repo: string;
}

/** Reads HOST?owner=NAMESPACE&repo=NAME. */
export function readRepoUrl(text: unknown): RepoUrl {
  const [host = '', query = ''] = typeof text === 'string' ? text.split('?', 2) : [];
  const asked = new URLSearchParams(query);
  return { host, owner: asked.get('owner') ?? '', repo: asked.get('repo') ?? '' };
}

/** The address of a repository as actions take it; undefined while a part of it is missing. */
export function writeRepoUrl({ host, owner, repo }: RepoUrl): string | undefined {
  if (!host || !owner.trim() || !repo.trim()) return undefined;
  return `${host}?${new URLSearchParams({ owner: owner.trim(), repo: repo.trim() })}`;
}
