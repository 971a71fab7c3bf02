export interface Ref {
  kind: string;
  namespace: string;
  name: string;
}

/** Reads kind:namespace/name; undefined when it is not a whole reference. */
export function parseRef(text: string | undefined): Ref | undefined {
  const match = /^([^:/\s]+):([^:/\s]+)\/([^:/\s]+)$/.exec(text ?? '');
  return match ? { kind: match[1] as string, namespace: match[2] as string, name: match[3] as string } : undefined;
}

/** A reference in full, where a name alone says enough beside the kind that is meant; any other text as it is. */
export function wholeRef(text: string, defaultKind?: string, defaultNamespace = 'default'): string {
  const [, kind = defaultKind, namespace = defaultNamespace, name] =
    /^(?:([^:/\s]+):)?(?:([^:/\s]+)\/)?([^:/\s]+)$/.exec(text.trim()) ?? [];
  return kind && name ? `${kind.toLowerCase()}:${namespace}/${name}` : text.trim();
}

/** The shortest form that is still clear beside its kind: the name, with its namespace unless that is default. */
export function shortRef(text: string): string {
  const ref = parseRef(text);
  if (!ref) return shortID(text);
  return ref.namespace === 'default' ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** An id by its kind and its end, which differs where the beginning, a time, does not: "run …3t5v7x". */
function shortID(text: string): string {
  const match = /^([a-z]{3,4})_[0-9a-z]{20}([0-9a-z]{6})$/.exec(text);
  return match ? `${match[1]} …${match[2]}` : text;
}

/** The page of a repository that is hosted here, NAMESPACE/NAME; undefined for any other. */
export function repositoryPath(name: string): string | undefined {
  return /^[\w.-]+\/[\w.-]+$/.test(name) ? `/repositories/${name}` : undefined;
}

/** Where the portal shows an entity. Stacks, applications, integrations, repositories and proposals have pages of their own. */
export function refPath(text: string): string | undefined {
  const ref = parseRef(text);
  if (!ref && /^dec_/.test(text)) return `/decisions/${text}`;
  if (!ref) return /^run_/.test(text) ? `/runs/${text}` : undefined;
  if (ref.kind === 'policy') return `/policies/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'stack') return `/infrastructure/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'stackset') return `/infrastructure/sets/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'context') return `/contexts/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'application') return `/applications/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'proposal') return `/repositories/${ref.namespace}/${ref.name.replace('#', '/proposals/')}`;
  if (ref.kind === 'workerpool') return `/pools/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'integration') return `/integrations/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'discovery') return `/sources/discoveries/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'directory') return `/sources/directories/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'scorecard') return `/scorecards/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'techradar') return `/radars/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'module') return `/modules/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'provider') return `/providers/${ref.namespace}/${ref.name}`;
  if (ref.kind === 'repository') return `/repositories/${ref.namespace}/${ref.name}`;
  return entityPath(ref);
}

/** The system that an entity is part of; "" for none. */
export function systemOf(relations: { type: string; target: string }[]): string {
  return relations.find((r) => r.type === 'partOf' && r.target.startsWith('system:'))?.target ?? '';
}

export function entityPath(ref: Ref): string {
  return `/catalog/${ref.kind}/${ref.namespace}/${ref.name}`;
}

export function shortCommit(hash: string): string {
  return /^[0-9a-f]{40,64}$/.test(hash) ? hash.slice(0, 8) : hash;
}

/** A word for people from one for machines: "rolling-back" and "rollingBack" become "rolling back". */
export function plain(word: string): string {
  return word
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[-_.]+/g, ' ')
    .toLowerCase();
}
