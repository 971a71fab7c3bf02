import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { parseRef } from '../words/ref';
import type { LedgerEntry } from './types';

interface Touched {
  queryKey: QueryKey;
  exact?: boolean;
}

/** The answers that an entry of the ledger makes stale: of what it is about, of what it touches, and of its run. */
export function touched(entry: Pick<LedgerEntry, 'subject' | 'refs' | 'run'>): Touched[] {
  const out: Touched[] = [{ queryKey: ['ledger'] }, { queryKey: ['home'] }];
  for (const about of new Set([entry.subject, ...(entry.refs ?? []), entry.run ?? ''])) {
    if (about.startsWith('run_')) {
      out.push({ queryKey: ['runs'] }, { queryKey: ['run', about], exact: true }); // its plan and graph have keys of their own
      continue;
    }
    if (about.startsWith('loc_')) {
      out.push({ queryKey: ['locations'] }, { queryKey: ['location', about] });
      continue;
    }
    const ref = parseRef(about);
    if (!ref) continue;
    const { kind, namespace, name } = ref;
    out.push({ queryKey: ['entities'] }, { queryKey: ['entity', kind, namespace, name] });
    if (kind === 'stack') out.push({ queryKey: ['stacks'] }, { queryKey: ['stack', namespace, name] });
    if (kind === 'stackset') out.push({ queryKey: ['stacks'] });
    if (kind === 'application')
      out.push({ queryKey: ['applications'] }, { queryKey: ['application', namespace, name] });
    if (kind === 'template') out.push({ queryKey: ['template', namespace, name] });
    if (kind === 'repository')
      out.push({ queryKey: ['repository', namespace, name] }, { queryKey: ['docs'] }, { queryKey: ['documented'] });
    if (kind === 'api') out.push({ queryKey: ['definition', kind, namespace, name] });
    if (kind === 'proposal') out.push({ queryKey: ['proposals'] }, { queryKey: ['proposal', `${namespace}/${name}`] });
    if (kind === 'integration')
      out.push(
        { queryKey: ['integrations'] },
        { queryKey: ['integration', namespace, name] },
        { queryKey: ['deliveries', namespace, name] },
      );
    if (kind === 'directory') out.push({ queryKey: ['directories'] }, { queryKey: ['directory', namespace, name] });
    if (kind === 'scorecard') out.push({ queryKey: ['scorecards'] }, { queryKey: ['scorecard', namespace, name] });
    if (kind === 'techradar') out.push({ queryKey: ['radars'] }, { queryKey: ['radar', namespace, name] });
    if (kind === 'workerpool') out.push({ queryKey: ['pools'] }, { queryKey: ['pool', namespace, name] });
    if (kind === 'module') out.push({ queryKey: ['modules'] }, { queryKey: ['module', namespace, name] });
    if (kind === 'provider') out.push({ queryKey: ['providers'] }, { queryKey: ['provider', namespace, name] });
    if (kind === 'space') out.push({ queryKey: ['spaces'] });
  }
  return out;
}

/**
 * Gathers what entries touch and asks for it anew, at most once in a while, and never before the answers of the time
 * before have come: however many entries there are, each page gets its answers.
 */
export function refresher(client: QueryClient, pause = 1_000) {
  let gathered = new Map<string, Touched>();
  let busy = false;
  const work = async () => {
    busy = true;
    while (gathered.size > 0) {
      const now = [...gathered.values()];
      gathered = new Map();
      await Promise.all(now.map((filter) => client.invalidateQueries(filter)));
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    busy = false;
  };
  return (entry: Pick<LedgerEntry, 'subject' | 'refs' | 'run'>) => {
    for (const filter of touched(entry)) gathered.set(JSON.stringify(filter.queryKey), filter);
    if (!busy) void work();
  };
}
