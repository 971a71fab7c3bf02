import { Button, Menu } from '@mantine/core';
import { IconChevronDown, IconCode, IconCopy, IconRefresh, IconTrash, IconUnlink } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import type { Entity } from '../../api/types';
import { useCopy } from '../../parts/useCopy';
import { RefreshMany, useRefreshMany } from '../catalog/RefreshMany';
import { RemoveMany } from '../catalog/RemoveMany';
import { UnregisterMany } from '../catalog/UnregisterMany';
import { deedsOf } from './deeds';

const Inspect = lazy(() => import('./Inspect'));

/** What else can be done with an entity, by what brought it; of the past it is only looked at. */
export function EntityActions({ entity, asOf }: { entity: Entity; asOf?: string }) {
  const [doing, setDoing] = useState<'inspect' | 'unregister' | 'delete'>();
  const refresh = useRefreshMany();
  const { copied, refused, copy, reset } = useCopy();
  const navigate = useNavigate();
  const deeds = asOf ? [] : deedsOf(entity);
  const close = () => {
    setDoing(undefined);
    reset();
  };
  const toTheList = () => void navigate({ to: '/catalog', search: { kind: entity.kind.toLowerCase() } });
  return (
    <>
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <Button
            variant="default"
            loading={refresh.isPending}
            rightSection={<IconChevronDown size={15} aria-hidden />}
          >
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {deeds.includes('refresh') && (
            <Menu.Item leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => refresh.mutate([entity])}>
              Refresh
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={<IconCopy size={16} aria-hidden />}
            closeMenuOnClick={false}
            onClick={() => void copy(entity.ref)}
          >
            {copied ? 'Copied' : 'Copy reference'}
          </Menu.Item>
          <Menu.Item leftSection={<IconCode size={16} aria-hidden />} onClick={() => setDoing('inspect')}>
            Inspect
          </Menu.Item>
          {deeds.includes('unregister') && (
            <Menu.Item
              color="red"
              leftSection={<IconUnlink size={16} aria-hidden />}
              onClick={() => setDoing('unregister')}
            >
              Unregister location
            </Menu.Item>
          )}
          {deeds.includes('delete') && (
            <Menu.Item color="red" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => setDoing('delete')}>
              Delete
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {(doing === 'inspect' || refused) && (
        <Suspense fallback={null}>
          <Inspect entity={entity} asOf={asOf} close={close} />
        </Suspense>
      )}
      {refresh.data && <RefreshMany done={refresh.data} close={() => refresh.reset()} />}
      {doing === 'unregister' && <UnregisterMany entities={[entity]} close={close} gone={toTheList} />}
      {doing === 'delete' && <RemoveMany refs={[entity.ref]} close={close} gone={toTheList} />}
    </>
  );
}
