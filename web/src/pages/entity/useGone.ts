import { useInfiniteQuery } from '@tanstack/react-query';
import { entityHistory } from '../../api/queries';
import type { Ref } from '../../words/ref';

/** Whether what is shown of the past was deleted since, which its history tells; undefined until that is known. */
export function useGone({ kind, namespace, name }: Ref, asOf?: string): boolean | undefined {
  const query = useInfiniteQuery({ ...entityHistory(kind, namespace, name), enabled: Boolean(asOf) });
  if (!asOf || query.isError) return false;
  return query.data && query.data.pages[0]?.items[0]?.action === 'deleted';
}
