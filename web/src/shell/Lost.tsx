import { Button, Group } from '@mantine/core';
import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router';
import { Failure } from '../parts/Failure';
import { Empty, Page, Section } from '../parts/Page';

export function Lost() {
  return (
    <Page title="There is no such page">
      <Section>
        <Empty
          title="Nothing is at this address"
          action={
            <Group>
              <Button component={Link} to="/">
                Home
              </Button>
              <Button component={Link} to="/catalog" variant="default">
                Look in the catalog
              </Button>
            </Group>
          }
        >
          The address may be mistyped, or what it showed was deleted; the ledger still knows what was there.
        </Empty>
      </Section>
    </Page>
  );
}

/** A page that could not be drawn. After an update of the server, loading it anew is all it needs. */
export function Broken({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <main style={{ maxWidth: 720, margin: '12vh auto', padding: '0 16px', display: 'grid', gap: 16 }}>
      <Failure
        error={error}
        title="This page can't be shown"
        retry={() => {
          reset();
          void router.invalidate();
        }}
      />
      <Group>
        <Button onClick={() => window.location.reload()}>Load it anew</Button>
        <Button component="a" href="/" variant="default">
          Home
        </Button>
      </Group>
    </main>
  );
}
