import { State } from '../../parts/State';

/** States of versions as those of other things that people know: what is ready has succeeded, and waits for nobody. */
const like: Record<string, string> = { ready: 'succeeded', testing: 'running', failed: 'failed' };

/** Where a version of a module stands. */
export function Standing({ state, yanked, version }: { state?: string; yanked?: boolean; version?: string }) {
  const said = yanked ? 'yanked' : (state ?? '');
  return <State state={yanked ? 'warn' : (like[said] ?? said)} said={version ? `${version} ${said}` : said} />;
}
