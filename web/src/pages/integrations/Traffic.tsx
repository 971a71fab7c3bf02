import { Anchor, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { webhook } from '../../api/webhooks';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Facts } from '../../parts/Page';

/** What came by an integration's webhooks. */
export function Traffic({ namespace, name }: { namespace: string; name: string }) {
  const query = useQuery(webhook(namespace, name));
  const w = query.data;
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (!w) return null;
  const refused = w.refused;
  return (
    <>
      <Facts
        items={[
          ['Last delivery', w.last ? <Moment key="last" at={w.last} /> : 'none so far'],
          ['Waiting', w.waiting > 0 && w.waiting],
          [
            'Refused',
            refused.count > 0 && (
              <span key="refused">
                {refused.count}, last {refused.last && <Moment at={refused.last} />}
                {refused.client && ` from ${refused.client}`}: {refused.reason}
              </span>
            ),
          ],
        ]}
      />
      <Text size="sm">
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link to="/integrations/$namespace/$name/deliveries" params={{ namespace, name }} {...props} />
          )}
        >
          All deliveries
        </Anchor>
      </Text>
    </>
  );
}
