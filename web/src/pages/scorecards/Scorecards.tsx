import { Anchor, Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { scorecards } from '../../api/insight';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { LevelBar } from './Levels';

/** All scorecards, each with how many are at which level. */
export function Scorecards() {
  const query = useInfiniteQuery(scorecards);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Scorecards"
      query={query}
      about="What is wanted of things, how far each has come, and what to do next"
      actions={
        <>
          <CopyCommand command="roadbed scorecard list" />
          <Button component={Link} to="/radars" variant="default">
            Technology radar
          </Button>
        </>
      }
    >
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && (
        <Section>
          <Empty
            title="No scorecard yet"
            action={
              <Button component={Link} to="/declare">
                Declare one
              </Button>
            }
          >
            A document of the kind Scorecard says what is wanted, as rules in levels; everything that it chooses is
            judged at once, and whenever it changes.
          </Empty>
        </Section>
      )}
      {items.map((card) => (
        <Section
          key={card.ref}
          title={card.title || card.name}
          actions={
            <Anchor
              size="sm"
              renderRoot={(props) => (
                <Link
                  to="/scorecards/$namespace/$name"
                  params={{ namespace: card.namespace, name: card.name }}
                  {...props}
                />
              )}
            >
              Open {card.title || card.name}
            </Anchor>
          }
        >
          {card.description && <p style={{ marginTop: 0 }}>{card.description}</p>}
          <LevelBar card={card} />
        </Section>
      ))}
      <More query={query} />
    </Page>
  );
}
