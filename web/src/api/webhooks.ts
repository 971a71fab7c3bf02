import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { api, body } from './client';
import type { components } from './schema';
import type { Whole } from './types';

export type Delivery = Whole<components['schemas']['Delivery']>;
export type Webhook = Whole<components['schemas']['Webhook']>;

export interface DeliveryFilter {
  state?: 'received' | 'done' | 'ignored' | 'failed';
  kind?: 'ping' | 'push' | 'proposal' | 'comment' | 'review' | 'check' | 'repository' | 'other';
}

// A delivery has no entry in the ledger: what follows of it has. So those that look are told by asking again.
const soon = 3_000;

export const webhook = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['webhook', namespace, name],
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/integrations/{namespace}/{name}/webhook', { params: { path: { namespace, name } }, signal }),
      ),
    refetchInterval: soon,
  });

export const deliveries = (namespace: string, name: string, filter: DeliveryFilter) =>
  infiniteQueryOptions({
    queryKey: ['deliveries', namespace, name, filter],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/integrations/{namespace}/{name}/deliveries', {
          params: { path: { namespace, name }, query: { ...filter, limit: 50, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
    refetchInterval: soon,
  });

export const delivery = (namespace: string, name: string, number: number) =>
  queryOptions({
    queryKey: ['delivery', namespace, name, number],
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/integrations/{namespace}/{name}/deliveries/{number}', {
          params: { path: { namespace, name, number } },
          signal,
        }),
      ),
    refetchInterval: soon,
  });

export const payload = (namespace: string, name: string, number: number) =>
  queryOptions({
    queryKey: ['delivery', namespace, name, number, 'payload'],
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/integrations/{namespace}/{name}/deliveries/{number}/payload', {
          params: { path: { namespace, name, number } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });

export function useRedeliver(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (number: number) =>
      body(
        api.POST('/api/v1/integrations/{namespace}/{name}/deliveries/{number}/redeliver', {
          params: { path: { namespace, name, number } },
        }),
      ),
    onSuccess: (d) => {
      client.setQueryData(['delivery', namespace, name, d.number], d);
      void client.invalidateQueries({ queryKey: ['deliveries', namespace, name] });
    },
  });
}

export function useRegister(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (of: { repository: string } | { organization: string }) =>
      body(
        api.POST('/api/v1/integrations/{namespace}/{name}/webhook', {
          params: { path: { namespace, name } },
          body: of,
        }),
      ),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['webhook', namespace, name] });
      void client.invalidateQueries({ queryKey: ['integration', namespace, name] });
    },
  });
}
