import { Alert, Anchor, List, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Edited } from '../../api/types';
import { shortCommit } from '../../words/ref';
import classes from './catalog.module.css';

/** What an edit would do, or has done: by commit, proposal or apply, and of what not, with why. */
export function Deeds({ edited, done }: { edited: Edited; done?: boolean }) {
  const nothing = edited.deeds.length === 0 && edited.refused.length === 0;
  return (
    <div role="status" aria-label={done ? 'What was done' : 'What it will do'}>
      {nothing && <Text size="sm">Nothing changes: everything is like this already.</Text>}
      {edited.deeds.map((deed) => {
        const [namespace = '', name = ''] = (deed.repository ?? '').split('/');
        return (
          <section key={`${deed.way} ${deed.repository} ${deed.space} ${deed.source}`} style={{ marginBottom: 12 }}>
            <Text size="sm" fw={500}>
              {deed.way === 'apply' && `${done ? 'Applied' : 'Applies'} in space ${deed.space}`}
              {deed.way === 'commit' && `${done ? 'Committed' : 'Commits'} to ${deed.branch} of ${deed.repository}`}
              {deed.way === 'proposal' && `${done ? 'Proposed' : 'Opens a proposal'} in ${deed.repository}`}
              {deed.commit && deed.way === 'commit' && (
                <>
                  {' '}
                  <Anchor
                    size="sm"
                    renderRoot={(props) => (
                      <Link
                        to="/repositories/$namespace/$name"
                        params={{ namespace, name }}
                        search={{ commit: deed.commit }}
                        {...props}
                      />
                    )}
                  >
                    {shortCommit(deed.commit)}
                  </Anchor>
                </>
              )}
              {deed.proposal ? (
                <>
                  {' '}
                  <Anchor
                    size="sm"
                    renderRoot={(props) => (
                      <Link
                        to="/repositories/$namespace/$name/proposals/$number"
                        params={{ namespace, name, number: String(deed.proposal) }}
                        {...props}
                      />
                    )}
                  >
                    #{deed.proposal}
                  </Anchor>
                </>
              ) : null}
            </Text>
            {!done &&
              deed.changes.slice(0, 20).map((change) => (
                <pre key={change.ref} className={classes.diff}>
                  {change.ref}
                  {change.path ? ` in ${change.path}` : ''}
                  {`\n${change.diff.trim()}`}
                </pre>
              ))}
            {!done && deed.changes.length > 20 && (
              <Text size="sm" c="dimmed">
                and {deed.changes.length - 20} more
              </Text>
            )}
          </section>
        );
      })}
      {edited.refused.length > 0 && (
        <Alert color="yellow" variant="light" title={`${edited.refused.length} can’t be changed from here`}>
          <List size="sm" spacing={4}>
            {edited.refused.slice(0, 20).map((r) => (
              <List.Item key={r.ref}>
                {r.why}
                {r.where && (
                  <>
                    {' '}
                    <a href={r.where}>Edit the file at its forge</a>
                  </>
                )}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
    </div>
  );
}
