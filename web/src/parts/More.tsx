import { Button } from '@mantine/core';

interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

/** Gets the next page of a list, if there is one. */
export function More({ query }: { query: Paged }) {
  if (!query.hasNextPage) return null;
  return (
    <div style={{ padding: 12, textAlign: 'center' }}>
      <Button
        variant="default"
        size="compact-sm"
        loading={query.isFetchingNextPage}
        onClick={() => query.fetchNextPage()}
      >
        Show more
      </Button>
    </div>
  );
}
