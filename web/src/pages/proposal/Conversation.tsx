import { Alert, Anchor, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useComment } from '../../api/proposing';
import { type ProposalPath, proposalComments } from '../../api/queries';
import type { ProposalDetail, ProposalReview } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { shortCommit } from '../../words/ref';
import { MergeBox } from './MergeBox';
import { People } from './People';
import classes from './proposal.module.css';
import { Stacks } from './Stacks';
import { linesAbout, Say, Saying, Talk, talks, Words } from './Talk';
import { Touches } from './Touches';

type Event =
  | { at: string; key: string; talk: ReturnType<typeof talks>[number] }
  | { at: string; key: string; review: ProposalReview };

export function Conversation({ path, proposal }: { path: ProposalPath; proposal: ProposalDetail }) {
  const query = useQuery(proposalComments(path));
  const comment = useComment(path);
  const events: Event[] = [
    ...talks(query.data ?? []).map((talk) => ({ at: talk.first.created, key: talk.first.id, talk })),
    ...proposal.reviews.map((review) => ({ at: review.time, key: review.id, review })),
  ].sort((a, b) => a.at.localeCompare(b.at));
  return (
    <div className={classes.columns}>
      <Stack gap="md">
        <div className={classes.said}>
          <div className={classes.who}>
            <b>{proposal.author.name}</b> opened it <Moment at={proposal.created} />
          </div>
          <div className={classes.words}>
            {proposal.body ? <Words text={proposal.body} /> : 'Without further words.'}
          </div>
        </div>
        {query.isPending && <Rows count={2} />}
        <Failure error={query.error} retry={() => query.refetch()} />
        {events.map((e) =>
          'talk' in e ? (
            e.talk.first.path ? (
              <Talk
                key={e.key}
                path={path}
                {...e.talk}
                about={`${e.talk.first.path}, ${linesAbout(e.talk.first)}${e.talk.first.nowLine ? '' : ' (outdated)'}`}
                maySettle={proposal.can.includes('settle')}
                proposal={proposal}
                quoted
              />
            ) : (
              <div key={e.key} className={classes.said}>
                <Saying comment={e.talk.first} path={path} />
                {e.talk.answers.map((c) => (
                  <Saying key={c.id} comment={c} path={path} />
                ))}
              </div>
            )
          ) : (
            <div key={e.key} className={classes.said}>
              <div className={classes.who} style={e.review.body ? undefined : { border: 0 }}>
                <State state={e.review.verdict} bare />
                <b>{e.review.author.name}</b> at <code>{shortCommit(e.review.head)}</code> <Moment at={e.review.time} />
              </div>
              {e.review.body && (
                <div className={classes.words}>
                  <Words text={e.review.body} />
                </div>
              )}
            </div>
          ),
        )}
        {proposal.can.includes('comment') && (
          <Section>
            <Say
              label="Say something"
              button="Comment"
              busy={comment.isPending}
              error={comment.error}
              say={(text, done) => comment.mutate({ body: text }, { onSuccess: done })}
            />
          </Section>
        )}
      </Stack>
      <Stack gap="md">
        {proposal.state === 'open' && (
          <Section title="Merge">
            <MergeBox path={path} proposal={proposal} />
          </Section>
        )}
        <Section title="Looked after by">
          <People path={path} proposal={proposal} />
        </Section>
        {(proposal.warnings ?? []).length > 0 && (
          <Alert color="yellow" variant="light" title="The file of owners has lines that can’t be read">
            <ul className={classes.list}>
              {(proposal.warnings ?? []).map((w) => (
                <li key={w}>{w}</li>
              ))}
            </ul>
          </Alert>
        )}
        <Stacks path={path} head={proposal.head} />
        <Touches refs={proposal.touches ?? []} />
        <Section title="Checks">
          {proposal.checks.length === 0 ? (
            'Nothing checked it so far.'
          ) : (
            <ul className={classes.list} aria-label="Checks">
              {proposal.checks.map((c) => (
                <li key={c.name}>
                  <State state={c.state} said="" bare />
                  <span>
                    {c.name} {c.description && <span style={{ color: 'var(--quiet)' }}>{c.description}</span>}{' '}
                    {c.run && <CheckRun id={c.run} name={c.name} />}
                    {c.url && (
                      <a href={c.url} rel="noreferrer">
                        details
                      </a>
                    )}
                  </span>
                </li>
              ))}
            </ul>
          )}
        </Section>
        {proposal.owners.length > 0 && (
          <Section title="Owners">
            <ul className={classes.list} aria-label="Owners">
              {proposal.owners.map((o) => (
                <li key={`${o.section} ${o.owners.join(' ')}`} title={o.files.join('\n')}>
                  <State state={o.approved ? 'approved' : 'waiting'} said="" bare />
                  <span>
                    {o.section && `${o.section}: `}
                    {o.needs > 1 && `${o.needs} of `}
                    {o.owners.join(' or ')} of {o.files.length} {o.files.length === 1 ? 'file' : 'files'}
                    {o.optional && ', if they like'}
                  </span>
                </li>
              ))}
            </ul>
          </Section>
        )}
      </Stack>
    </div>
  );
}

/** Leads to the run that a check is of. */
function CheckRun({ id, name }: { id: string; name: string }) {
  return (
    <Anchor
      size="sm"
      aria-label={`Run of ${name}`}
      title={id}
      renderRoot={(props) => <Link to="/runs/$id" params={{ id }} {...props} />}
    >
      run
    </Anchor>
  );
}
