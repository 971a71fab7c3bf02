import { toYAML } from '../../words/yaml';

export type Forge = 'github' | 'gitlab' | 'gitea';

export const forges: { value: Forge; label: string; url: string; token: string }[] = [
  {
    value: 'github',
    label: 'GitHub',
    url: 'https://github.com',
    token: 'A classic token with the scopes repo, read:org, admin:org_hook and delete_repo',
  },
  {
    value: 'gitlab',
    label: 'GitLab',
    url: 'https://gitlab.com',
    token: 'A group access token or a personal one, with the scope api',
  },
  {
    value: 'gitea',
    label: 'Gitea',
    url: '',
    token: 'A token with the scopes write:repository, write:issue, write:organization and read:user',
  },
];

export function forgeName(forge: string): string {
  return forges.find((f) => f.value === forge)?.label ?? forge;
}

/** What a form declares; secrets are named, SPACE/NAME. */
export interface Declared {
  name: string;
  forge: Forge;
  url: string;
  owners: string[];
  token?: string;
  app?: { id: string; account: string; key: string };
  webhook?: string;
}

/** The document that declares a forge. */
export function documentOf({ name, forge, url, owners, token, app, webhook }: Declared): string {
  const spec = {
    forge,
    url: url || undefined,
    token: token ? { secretRef: token } : undefined,
    app: app && { id: app.id, account: app.account || undefined, privateKey: { secretRef: app.key } },
    owners: owners.length > 0 ? owners : undefined,
    webhook: webhook ? { secretRef: webhook } : undefined,
  };
  return `${toYAML({ apiVersion: 'roadbed.dev/v1', kind: 'Integration', metadata: { name }, spec })}\n`;
}

/** A secret that nobody has thought of. */
export function newSecret(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(24)), (b) => b.toString(16).padStart(2, '0')).join('');
}

const namePattern = /^[A-Za-z0-9]+([-_.]+[A-Za-z0-9]+)*$/;

/** What is wrong with a name; undefined when it is good. */
export function wrongName(name: string, taken: string[]): string | undefined {
  if (name === '') return undefined;
  if (name.length > 40 || !namePattern.test(name)) return 'Letters and digits, joined by - _ or .';
  return taken.includes(name.toLowerCase()) ? 'There is one of this name' : undefined;
}
