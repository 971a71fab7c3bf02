import { Button } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { entity } from '../../api/queries';
import { Failure } from '../../parts/Failure';
import { parseRef } from '../../words/ref';
import { toYAML } from '../../words/yaml';
import { withRego } from './words';

const EditEntity = lazy(() => import('../entity/EditEntity'));

/** Puts a source that was tried into its policy's document, where that is declared: what it will do is shown first. */
export function Publish({ policy, rego }: { policy: string; rego: string }) {
  const [open, setOpen] = useState(false);
  const client = useQueryClient();
  const { kind, namespace, name } = parseRef(policy) ?? { kind: 'policy', namespace: '', name: '' };
  const query = useQuery({ ...entity(kind, namespace, name), enabled: open });
  return (
    <>
      <Button size="compact-sm" loading={open && query.isPending} onClick={() => setOpen(true)}>
        Publish…
      </Button>
      {open && <Failure error={query.isLoadingError ? query.error : null} />}
      {open && query.data && (
        <Suspense fallback={null}>
          <EditEntity
            entity={query.data}
            begin={toYAML(withRego(query.data.document, rego))}
            close={() => {
              setOpen(false);
              void client.invalidateQueries({ queryKey: ['policy', namespace, name] });
            }}
          />
        </Suspense>
      )}
    </>
  );
}
