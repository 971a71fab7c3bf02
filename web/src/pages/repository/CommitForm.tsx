import { Alert, Button, Group, Radio, Stack, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useState } from 'react';
import { branchRules, commitOf, type FileChange, file, useCommit } from '../../api/code';
import { asProblem } from '../../api/problem';
import { me } from '../../api/queries';
import type { Repository, RepositoryFile } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Section } from '../../parts/Page';
import { branchFor } from './lines';
import { placeOf } from './place';

interface Props {
  repo: Repository;
  head: string;
  branch: string;
  path: string;
  /** What a branch for it is called after; the path when absent. */
  about?: string;
  /** What it does, for who says nothing. */
  words: string;
  ready: boolean;
  changes: FileChange[];
  back: string;
  committed: () => void;
  /** Takes the file as it is now for what was edited. */
  renew?: (now: RepositoryFile) => void;
}

/** Commits what was edited: on a new branch that is proposed, or on the branch itself where its rules let that be. */
export function CommitForm({
  repo,
  head,
  branch,
  path,
  about = path,
  words,
  ready,
  changes,
  back,
  committed,
  renew,
}: Props) {
  const who = useQuery(me).data;
  const listed = useQuery({
    queryKey: ['repository', repo.namespace, repo.name, 'rules', branch],
    queryFn: () => branchRules(repo, branch),
    enabled: Boolean(head),
  });
  const closed = listed.data?.byProposals ?? false;
  const [way, setWay] = useState<'propose' | 'straight'>(head ? 'propose' : 'straight');
  const [fresh, setFresh] = useState('');
  const [message, setMessage] = useState('');
  const commit = useCommit(repo);
  const navigate = useNavigate();
  const [suggested] = useState(() => new Date());
  const name = fresh || branchFor(who?.name || 'me', about, suggested);
  const conflict = commit.error ? asProblem(commit.error).status === 409 : false;
  const tip = useQuery({ ...commitOf(repo, branch), enabled: conflict && Boolean(renew) });
  const now = useQuery({
    ...file(repo.namespace, repo.name, tip.data?.hash ?? '', changes[0]?.path ?? ''),
    enabled: Boolean(tip.data && renew),
    retry: false,
  });
  useEffect(() => {
    if (closed) setWay('propose');
  }, [closed]);
  const proposes = way === 'propose';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    commit.mutate(
      {
        branch: proposes ? name : branch,
        from: proposes ? branch : undefined,
        message: message.trim() || words,
        changes,
        propose: proposes,
      },
      {
        onSuccess: (made) => {
          committed();
          const at = `/repositories/${repo.namespace}/${repo.name}`;
          let to = placeOf(repo, {
            ref: branch === repo.defaultBranch ? undefined : branch,
            path: changes.at(-1)?.delete ? path.replace(/[^/]*$/, '') : path,
          });
          if (made.proposal) to = `${at}/proposals/${made.proposal}`;
          else if (proposes) to = `${at}/propose?source=${encodeURIComponent(made.branch)}`;
          void navigate({ to });
        },
      },
    );
  };
  return (
    <Section title="Commit it">
      <form onSubmit={submit}>
        <Stack maw={720}>
          <Textarea
            label="Message"
            placeholder={words}
            autosize
            minRows={2}
            maxRows={12}
            maxLength={65_536}
            value={message}
            onChange={(e) => setMessage(e.currentTarget.value)}
          />
          {head && (
            <Radio.Group value={way} onChange={(v) => setWay(v as 'propose' | 'straight')} label="Where to">
              <Stack gap="xs" mt={6}>
                <Radio value="propose" label="On a new branch, and propose it" />
                <Radio
                  value="straight"
                  disabled={closed}
                  label={`Straight to ${branch}`}
                  description={closed ? 'Its rules let only proposals in.' : undefined}
                />
              </Stack>
            </Radio.Group>
          )}
          {proposes && (
            <TextInput
              label="Name of the branch"
              value={name}
              maxLength={250}
              onChange={(e) => setFresh(e.currentTarget.value)}
            />
          )}
          <Failure error={commit.error} title="Nothing was committed" />
          {conflict && now.data && renew && (
            <Alert color="yellow" variant="light" title="Keep what you wrote">
              <Group gap="xs">
                <span>
                  It was changed meanwhile. Take the file as it is now for the beginning, and look at what changes.
                </span>
                <Button
                  size="compact-sm"
                  variant="default"
                  onClick={() => {
                    if (now.data) renew(now.data);
                    commit.reset();
                  }}
                >
                  Compare with the newest
                </Button>
              </Group>
            </Alert>
          )}
          <Group gap="xs">
            <Button type="submit" loading={commit.isPending} disabled={!ready}>
              {proposes ? 'Commit and propose' : 'Commit'}
            </Button>
            <Button component={Link} to={back} variant="default">
              Leave it
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
