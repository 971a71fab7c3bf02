import { Code, Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { podLog } from '../../api/queries';
import type { ApplicationDetail } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { Stale } from '../../parts/Stale';
import { plainText } from '../run/ansi';

const route = getRouteApi('/shell/applications/$namespace/$name');

/** The last lines of a pod, renewed every few seconds. */
export function PodLog({ app }: { app: ApplicationDetail }) {
  const { pod } = route.useSearch();
  const navigate = route.useNavigate();
  const pods = app.tree.filter((o) => o.kind === 'Pod').map((o) => o.name);
  const shown = pod && pods.includes(pod) ? pod : pods[0];
  const query = useQuery({ ...podLog(app.namespace, app.name, shown ?? ''), enabled: Boolean(shown) });
  if (!shown) {
    return (
      <Section>
        <Empty title="No pods">
          Nothing of this application runs now; sync it, or see in its resources what holds it back.
        </Empty>
      </Section>
    );
  }
  return (
    <Section
      title="Log"
      actions={
        <Select
          size="xs"
          w={300}
          aria-label="Pod"
          data={pods}
          value={shown}
          allowDeselect={false}
          onChange={(value) => navigate({ search: (s) => ({ ...s, pod: value ?? undefined }), replace: true })}
        />
      }
    >
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      <Stale query={query} />
      {query.isPending && <Rows />}
      {query.data !== undefined && (
        <Code block tabIndex={0} style={{ maxHeight: '60vh', overflow: 'auto' }}>
          {plainText(query.data) || 'It has written nothing.'}
        </Code>
      )}
    </Section>
  );
}
