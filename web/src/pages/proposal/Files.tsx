import { Alert, Button, Group, SegmentedControl, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';
import { type Said, useComment, useProposal, type Verdict } from '../../api/proposing';
import { type ProposalPath, proposalComments, proposalDiff } from '../../api/queries';
import type { ProposalDetail } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Rows } from '../../parts/Page';
import { FileView, type LineAt } from './FileView';
import { lineKey } from './hunks';
import classes from './proposal.module.css';
import { ReviewDialog } from './ReviewDialog';
import { Say, Talk, talks } from './Talk';

interface Props {
  path: ProposalPath;
  proposal: ProposalDetail;
  split: boolean;
  setSplit: (split: boolean) => void;
}

/** What a proposal changes, file by file, with what was said of its lines. */
export function Files({ path, proposal, split, setSplit }: Props) {
  const query = useQuery(proposalDiff(path, proposal.base, proposal.head));
  const said = useQuery(proposalComments(path));
  const [at, setAt] = useState<LineAt>();
  const [gathered, setGathered] = useState<Said[]>([]);
  const [reviewing, setReviewing] = useState(false);
  const comment = useComment(path);
  const review = useProposal(path);

  // A talk shows at its line as long as that is of what is shown now.
  const byLine = useMemo(() => {
    const out = new Map<string, ReturnType<typeof talks>>();
    for (const talk of talks(said.data ?? [])) {
      const { path: file, line, old, commit } = talk.first;
      if (!file || !line || commit !== proposal.head) continue;
      const key = lineKey(file, line, old ?? false);
      out.set(key, [...(out.get(key) ?? []), talk]);
    }
    return out;
  }, [said.data, proposal.head]);
  const drafts = useMemo(() => {
    const out = new Map<string, Said[]>();
    for (const s of gathered) {
      const key = lineKey(s.path ?? '', s.line ?? 0, s.old ?? false);
      out.set(key, [...(out.get(key) ?? []), s]);
    }
    return out;
  }, [gathered]);
  const marked = useMemo(() => {
    const out = new Set([...byLine.keys(), ...drafts.keys()]);
    if (at) out.add(lineKey(at.path, at.line, at.old));
    return out;
  }, [byLine, drafts, at]);
  const maySay = proposal.can.includes('comment');
  const choose = useCallback((chosen: LineAt) => setAt(chosen), []);

  const below = (place: LineAt) => {
    const key = lineKey(place.path, place.line, place.old);
    const here = at && lineKey(at.path, at.line, at.old) === key;
    return (
      <Stack gap="sm">
        {(byLine.get(key) ?? []).map((talk) => (
          <Talk
            key={talk.first.id}
            path={path}
            {...talk}
            about={`line ${place.line}`}
            maySettle={proposal.can.includes('review')}
          />
        ))}
        {(drafts.get(key) ?? []).map((s) => (
          <div key={s.body} className={classes.said}>
            <div className={classes.who}>
              <b>You, with your review</b>
              <Button
                size="compact-xs"
                variant="subtle"
                color="gray"
                onClick={() => setGathered((all) => all.filter((x) => x !== s))}
              >
                Take it back
              </Button>
            </div>
            <div className={classes.words} style={{ whiteSpace: 'pre-wrap' }}>
              {s.body}
            </div>
          </div>
        ))}
        {here && (
          <Say
            label={`Of ${place.old ? 'old ' : ''}line ${place.line}`}
            button="Say it now"
            busy={comment.isPending}
            error={comment.error}
            say={(text, done) =>
              comment.mutate(
                { ...place, body: text },
                {
                  onSuccess: () => {
                    done();
                    setAt(undefined);
                  },
                },
              )
            }
            other={
              proposal.can.includes('review') && proposal.state === 'open'
                ? {
                    label: 'Keep it for a review',
                    say: (text, done) => {
                      setGathered((all) => [...all, { ...place, body: text }]);
                      done();
                      setAt(undefined);
                    },
                  }
                : undefined
            }
            cancel={() => setAt(undefined)}
          />
        )}
      </Stack>
    );
  };

  if (query.isPending) return <Rows />;
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  const { files, truncated } = query.data;
  if (files.length === 0) return <Empty title="Nothing changes">Both branches hold the same.</Empty>;
  const added = files.reduce((n, f) => n + f.additions, 0);
  const removed = files.reduce((n, f) => n + f.deletions, 0);
  const submit = (verdict: Verdict, text: string) =>
    review.mutate(
      { do: 'review', verdict, body: text, head: proposal.head, comments: gathered },
      {
        onSuccess: () => {
          setGathered([]);
          setReviewing(false);
        },
      },
    );
  return (
    <Stack gap="md">
      <Group justify="space-between">
        <Group gap="sm">
          <span>
            {files.length} {files.length === 1 ? 'file' : 'files'}
          </span>
          <span className={classes.plus}>+{added}</span>
          <span className={classes.minus}>−{removed}</span>
        </Group>
        <Group gap="sm">
          <SegmentedControl
            aria-label="How changes are shown"
            value={split ? 'split' : 'one'}
            onChange={(value) => setSplit(value === 'split')}
            data={[
              { value: 'one', label: 'One column' },
              { value: 'split', label: 'Side by side' },
            ]}
          />
          {proposal.can.includes('review') && proposal.state === 'open' && (
            <Button onClick={() => setReviewing(true)}>
              Review{gathered.length > 0 ? ` with ${gathered.length} comments` : ''}
            </Button>
          )}
        </Group>
      </Group>
      {truncated && (
        <Alert color="yellow" variant="light" title="Not all of it is shown">
          It is too large. Fetch {proposal.source} and use git diff to see the rest.
        </Alert>
      )}
      {files.map((file) => (
        <FileView
          key={file.path}
          file={file}
          split={split}
          marked={marked}
          below={below}
          choose={maySay ? choose : undefined}
        />
      ))}
      {reviewing && (
        <ReviewDialog
          proposal={proposal}
          comments={gathered.length}
          busy={review.isPending}
          error={review.error}
          close={() => setReviewing(false)}
          submit={submit}
        />
      )}
    </Stack>
  );
}
