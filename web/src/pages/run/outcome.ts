import { repositoryPath } from '../../words/ref';

export interface OutcomeLink {
  title: string;
  url?: string;
  entityRef?: string;
}

export interface Outcome {
  links: OutcomeLink[];
  texts: { title: string; content: string }[];
  made: { kind: string; name: string; state?: string }[];
}

const list = (value: unknown) =>
  Array.isArray(value) ? value.filter((x): x is Record<string, unknown> => !!x && typeof x === 'object') : [];
const string = (value: unknown) => (typeof value === 'string' ? value : '');

/** Addresses that a link may lead to: never one that runs a script. */
function safe(url: string): string | undefined {
  return /^(https?:|\/)/i.test(url) ? url : undefined;
}

/** The portal's page of a repository whose address on this server a link gives. */
export function hostedPath(url: string, origin: string): string | undefined {
  const path = url.startsWith(`${origin}/`) ? url.slice(origin.length) : url;
  const [, name = ''] = /^\/git\/([^/?#]+\/[^/?#]+?)(?:\.git)?\/?$/.exec(path) ?? [];
  return repositoryPath(name);
}

/** Reads the output of a run of a golden path; what has another shape is passed over. */
export function outcomeOf(output: unknown): Outcome {
  const o = (output && typeof output === 'object' ? output : {}) as Record<string, unknown>;
  return {
    links: list(o.links)
      .map((l) => ({
        title: string(l.title) || string(l.url),
        url: safe(string(l.url)),
        entityRef: string(l.entityRef) || undefined,
      }))
      .filter((l) => l.url || l.entityRef),
    texts: list(o.text)
      .map((t) => ({ title: string(t.title), content: string(t.content) }))
      .filter((t) => t.content),
    made: list(o.made).map((m) => ({ kind: string(m.kind), name: string(m.name), state: string(m.state) })),
  };
}
