import { Anchor, Badge, Switch } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { documented } from '../../api/docs';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { Table } from '../../parts/Table';
import { docsPath } from './place';

const route = getRouteApi('/shell/docs');

/** The entities that have docs. */
export function Docs() {
  const { text, broken } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(documented({ text, broken: broken ? true : undefined }));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Docs"
      query={query}
      about="What is written beside the code."
      actions={<CopyCommand command="roadbed docs list" />}
    >
      <Section flush>
        <div style={{ display: 'flex', gap: 16, alignItems: 'center', padding: 12, flexWrap: 'wrap' }}>
          <FilterText
            aria-label="Find docs"
            placeholder="Title or entity"
            value={text}
            set={(value) => navigate({ search: (s) => ({ ...s, text: value }), replace: true })}
          />
          <Switch
            label="With problems"
            checked={Boolean(broken)}
            onChange={(e) =>
              navigate({ search: (s) => ({ ...s, broken: e.target.checked ? 'true' : undefined }), replace: true })
            }
          />
        </div>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty title={text || broken ? 'Nothing matches' : 'No docs yet'}>
            A README, a folder docs/ or mkdocs.yml beside the catalog-info.yaml of an entity is its docs; the annotation
            backstage.io/techdocs-ref says that they are elsewhere.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Docs"
            rows={items}
            id={(d) => d.entity}
            columns={[
              {
                name: 'Title',
                cell: (d) => (
                  <Anchor component={Link} to={docsPath(d.entity)} size="sm" fw={500}>
                    {d.title}
                  </Anchor>
                ),
              },
              { name: 'Entity', cell: (d) => <RefLink to={d.entity} /> },
              { name: 'Pages', width: 80, wide: true, right: true, cell: (d) => d.pages },
              {
                name: 'Problems',
                width: 110,
                wide: true,
                cell: (d) =>
                  d.broken > 0 && (
                    <Badge color="yellow" variant="light">
                      {d.broken}
                    </Badge>
                  ),
              },
              { name: 'Repository', wide: true, cell: (d) => <RepositoryLink name={d.repository} /> },
              { name: 'Changed', wide: true, width: 140, cell: (d) => <Moment at={d.updated} /> },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
