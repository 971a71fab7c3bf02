import type { Mark } from '../../api/external';

/** What a build says at a terminal. */
export function markCommand(name: string, status: Mark, space: string): string {
  const quoted = /^[\w.:/@-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
  return `roadbed run mark ${quoted} --status ${status} --space ${space}`;
}
