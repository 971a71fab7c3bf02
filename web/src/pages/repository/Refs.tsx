import { Button, Group } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { type RefKind, useDeleteRef } from '../../api/code';
import type { Repository } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { type Asked, Stale } from '../../parts/Stale';
import { type Column, Table } from '../../parts/Table';
import { NewRef } from './NewRef';
import { mayWrite } from './place';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** The part of a name that is looked for, as the address has it. */
export const useNamePart = () => route.useSearch().text ?? '';

interface Listed<T> extends Asked {
  data?: { pages: { items: T[] }[] };
  isPending: boolean;
  isSuccess: boolean;
  isLoadingError: boolean;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

interface Props<T> {
  repo: Repository;
  kind: RefKind;
  query: Listed<T>;
  columns: Column<T>[];
  /** What can be done with one, before it is deleted; nothing stands there for one that stays. */
  next: (one: T) => ReactNode;
  stays?: (one: T) => boolean;
  /** What becomes of it when one is deleted. */
  lost: string;
  /** Said when there is none. */
  none?: string;
}

/** Branches or tags: looked for by name, made and deleted. */
export function Refs<T extends { name: string }>(props: Props<T>) {
  const { repo, kind, query, columns, next, stays, lost, none } = props;
  const text = useNamePart();
  const navigate = route.useNavigate();
  const remove = useDeleteRef(repo, kind);
  const [deleting, setDeleting] = useState<string>();
  const [making, setMaking] = useState(false);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const noun = kind === 'tags' ? 'tag' : 'branch';
  const title = kind === 'tags' ? 'Tags' : 'Branches';
  const full = `${repo.namespace}/${repo.name}`;
  const may = mayWrite(repo);
  return (
    <>
      <Section
        title={title}
        flush
        actions={
          <Group gap="xs">
            <FilterText
              aria-label="Name"
              placeholder="Name"
              value={text}
              set={(value) => navigate({ search: (s) => ({ ...s, text: value }), replace: true })}
            />
            <CopyCommand command={`roadbed repo ${kind} ${full}`} />
            {may && (
              <Button size="compact-sm" onClick={() => setMaking(true)}>
                New {noun}
              </Button>
            )}
          </Group>
        }
      >
        {query.isPending && <Rows />}
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        <Stale query={query} />
        {query.isSuccess && items.length === 0 && (
          <Empty title={text ? `No ${noun} is called that` : `No ${noun} yet`}>{!text && none}</Empty>
        )}
        {items.length > 0 && (
          <Table
            label={title}
            rows={items}
            id={(r) => r.name}
            columns={[
              ...columns,
              {
                name: 'Next',
                right: true,
                width: 200,
                cell: (r) => (
                  <Group gap="xs" justify="flex-end" wrap="nowrap">
                    {next(r)}
                    {may && !stays?.(r) && (
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={`Delete ${r.name}`}
                        onClick={() => setDeleting(r.name)}
                      >
                        Delete
                      </Button>
                    )}
                  </Group>
                ),
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      {making && <NewRef repo={repo} kind={kind} close={() => setMaking(false)} />}
      {deleting && (
        <Ask
          title={`Delete ${deleting}`}
          says={lost}
          label="Delete it"
          command={`roadbed repo ${noun} ${full} ${deleting} --delete`}
          busy={remove.isPending}
          error={remove.error}
          close={() => {
            remove.reset();
            setDeleting(undefined);
          }}
          act={() => remove.mutate(deleting, { onSuccess: () => setDeleting(undefined) })}
        />
      )}
    </>
  );
}
