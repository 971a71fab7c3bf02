import { Alert, Button, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { type Said, useComment, useProposal, type Verdict } from '../../api/proposing';
import { type DiffWish, me, type ProposalPath, proposalComments, proposalDiff } from '../../api/queries';
import type { FileDiff, ProposalDetail } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Rows } from '../../parts/Page';
import { shortCommit } from '../../words/ref';
import { FileTree } from './FileTree';
import { FileView, type LineAt, type ShownFile } from './FileView';
import { lineKey, parseHunks } from './hunks';
import { Keys } from './Keys';
import { LineTalks } from './LineTalks';
import { Look } from './Look';
import classes from './proposal.module.css';
import { ReviewDialog } from './ReviewDialog';
import { inFront, stepTo, useDrafts, useKeys, useViewed } from './reviewing';
import { linesAbout, Talk, talks } from './Talk';

/** What the address says of how changes are looked at. */
export interface Looking {
  split?: boolean;
  wish?: DiffWish;
  file?: string;
  line?: string;
}

interface Props {
  path: ProposalPath;
  proposal: ProposalDetail;
  split: boolean;
  wish: DiffWish;
  to: { file?: string; line?: string };
  look: (next: Looking) => void;
}

type TalkOf = ReturnType<typeof talks>[number];

const nothing = new Set<string>();
const nowhere = () => null;

/** What a proposal changes, file by file, with what was said of its lines. */
export function Files({ path, proposal, split, wish, to, look }: Props) {
  const query = useQuery(proposalDiff(path, proposal.base, proposal.head, wish));
  const said = useQuery(proposalComments(path));
  const who = useQuery(me);
  const [at, setAt] = useState<LineAt>();
  const { drafts, add, drop, clear } = useDrafts(proposal.full);
  const { viewed, set: setViewed } = useViewed(proposal.full);
  const [batch, setBatch] = useState<string[]>([]);
  const [reviewing, setReviewing] = useState(false);
  const [help, setHelp] = useState(false);
  const comment = useComment(path);
  const review = useProposal(path);
  const apply = useProposal(path);
  const files = query.data?.files ?? [];

  // A talk shows below its last line, where that is now; one whose lines have changed shows with its file.
  const { byLine, byFile } = useMemo(() => {
    const byLine = new Map<string, TalkOf[]>();
    const byFile = new Map<string, TalkOf[]>();
    for (const talk of talks(said.data ?? [])) {
      const { path: file, nowLine, old } = talk.first;
      if (!file || (old && wish.since)) continue;
      byFile.set(file, [...(byFile.get(file) ?? []), talk]);
      if (!nowLine) continue;
      const key = lineKey(file, nowLine, old ?? false);
      byLine.set(key, [...(byLine.get(key) ?? []), talk]);
    }
    return { byLine, byFile };
  }, [said.data, wish.since]);
  const draftsBy = useMemo(() => {
    const out = new Map<string, Said[]>();
    for (const s of drafts.said) {
      const key = lineKey(s.path ?? '', s.line ?? 0, s.old ?? false);
      out.set(key, [...(out.get(key) ?? []), s]);
    }
    return out;
  }, [drafts]);
  const marked = useMemo(() => {
    const out = new Set([...byLine.keys(), ...draftsBy.keys()]);
    if (at) out.add(lineKey(at.path, at.line, at.old));
    return out;
  }, [byLine, draftsBy, at]);
  const shown = useMemo(() => {
    const out = new Set<string>();
    for (const file of files) {
      if (!byFile.has(file.path)) continue;
      for (const line of parseHunks(file.patch ?? '')) {
        if (line.old !== undefined) out.add(lineKey(file.path, line.old, true));
        if (line.new !== undefined) out.add(lineKey(file.path, line.new, false));
      }
    }
    return out;
  }, [files, byFile]);
  // Files of which nobody says anything are drawn once, whatever is said of others.
  const talked = useMemo(
    () => new Set([...byFile.keys(), ...drafts.said.map((s) => s.path ?? ''), at?.path ?? '']),
    [byFile, drafts, at],
  );
  const from = useMemo(
    () => query.data && { path, commits: query.data, base: proposal.base, wish },
    [path, query.data, proposal.base, wish],
  );
  const see = useCallback(
    (file: ShownFile, now: boolean) => setViewed(file.path, now ? file.newHash : undefined),
    [setViewed],
  );
  const maySay = proposal.can.includes('comment');
  const choose = useCallback((chosen: LineAt) => setAt(chosen), []);
  const isViewed = (file: FileDiff) => viewed[file.path] === file.newHash;
  const go = (file: string) => {
    look({ file, line: undefined });
    document.getElementById(`file-${file}`)?.scrollIntoView({ block: 'start' });
  };

  // A link leads to its file and line, once they are there.
  const ready = files.length > 0;
  useEffect(() => {
    if (!ready || !to.file) return;
    const file = document.getElementById(`file-${to.file}`);
    const line = to.line ? document.getElementById(`line-${to.line}-${to.file}`) : null;
    (line ?? file)?.scrollIntoView({ block: line ? 'center' : 'start' });
  }, [ready, to.file, to.line]);

  useKeys({
    j: () => stepTo('[data-file]', 1),
    k: () => stepTo('[data-file]', -1),
    n: () => stepTo('[data-talk]', 1),
    p: () => stepTo('[data-talk]', -1),
    s: () => look({ split: !split }),
    w: () => look({ wish: { ...wish, space: wish.space ? undefined : 'ignore' } }),
    f: () => document.getElementById('filter-files')?.focus(),
    c: () => {
      const on = document.activeElement?.closest('tr') ?? inFront();
      const row = on?.closest('tr') ?? on?.querySelector('[data-kind="added"], [data-kind="removed"]')?.closest('tr');
      [...(row?.querySelectorAll<HTMLElement>('button') ?? [])].at(-1)?.click();
    },
    v: () => {
      const on = inFront();
      const file = files.find((f) => on?.id === `file-${f.path}`);
      if (file) setViewed(file.path, isViewed(file) ? undefined : file.newHash);
    },
    '?': () => setHelp(true),
  });

  const below = (place: LineAt) => (
    <LineTalks
      path={path}
      proposal={proposal}
      place={place}
      at={at}
      text={lineText(files, at)}
      talks={byLine.get(lineKey(place.path, place.line, place.old)) ?? []}
      drafts={draftsBy.get(lineKey(place.path, place.line, place.old)) ?? []}
      batch={{ ids: batch, set: setBatch }}
      comment={comment}
      keep={(s) => add(s, proposal.head)}
      drop={drop}
      close={() => setAt(undefined)}
    />
  );
  const elsewhere = (file: ShownFile) => {
    const hidden = (byFile.get(file.path) ?? []).filter(
      ({ first }) => !first.nowLine || !shown.has(lineKey(file.path, first.nowLine, first.old ?? false)),
    );
    if (hidden.length === 0) return undefined;
    return (
      <details className={classes.elsewhere}>
        <summary>
          {hidden.length} {hidden.length === 1 ? 'talk' : 'talks'} about lines that are not shown here
        </summary>
        <Stack gap="sm">
          {hidden.map((talk) => (
            <Talk
              key={talk.first.id}
              path={path}
              proposal={proposal}
              {...talk}
              about={`${linesAbout(talk.first)} at ${shortCommit(talk.first.commit ?? '')}`}
              maySettle={proposal.can.includes('settle')}
              quoted
            />
          ))}
        </Stack>
      </details>
    );
  };

  if (query.isPending) return <Rows />;
  if (query.isLoadingError) {
    return (
      <Stack>
        <Failure error={query.error} retry={() => query.refetch()} />
        {wish.since && (
          <Button variant="default" onClick={() => look({ wish: {} })}>
            Show all changes
          </Button>
        )}
      </Stack>
    );
  }
  const seen = files.filter(isViewed).length;
  const open = new Map([...byFile].map(([file, all]) => [file, all.filter((t) => !t.first.resolved).length]));
  const submit = (verdict: Verdict, text: string) =>
    review.mutate(
      { do: 'review', verdict, body: text, head: proposal.head, comments: drafts.said },
      {
        onSuccess: () => {
          clear();
          setReviewing(false);
        },
      },
    );
  return (
    <Stack gap="md">
      <Look
        proposal={proposal}
        mine={who.data?.id}
        files={files}
        seen={seen}
        split={split}
        wish={wish}
        look={look}
        drafts={drafts.said.length}
        review={() => setReviewing(true)}
        help={() => setHelp(true)}
      />
      {drafts.said.length > 0 && drafts.head !== proposal.head && (
        <Alert color="yellow" variant="light" title="You began your review before the last push">
          Look at the places of your comments again before you send them.
        </Alert>
      )}
      {batch.length > 0 && (
        <Alert
          variant="light"
          title={`${batch.length} ${batch.length === 1 ? 'suggestion' : 'suggestions'} to commit together`}
        >
          <Group gap="xs">
            <Button
              size="compact-sm"
              loading={apply.isPending}
              onClick={() =>
                apply.mutate({ do: 'apply', comments: batch, head: proposal.head }, { onSuccess: () => setBatch([]) })
              }
            >
              Commit suggestions
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => setBatch([])}>
              Forget them
            </Button>
          </Group>
          <Failure error={apply.error} />
        </Alert>
      )}
      {query.data.truncated && (
        <Alert color="yellow" variant="light" title="Not all of it comes at once">
          It is large. Files without lines can be loaded one by one; fetch refs/proposals/{proposal.number}/head to see
          all of it with git.
        </Alert>
      )}
      {files.length === 0 ? (
        <Empty title="Nothing changes">
          {wish.since ? 'Nothing was done since then.' : 'Both branches hold the same.'}
        </Empty>
      ) : (
        <div className={classes.review}>
          <FileTree files={files} viewed={isViewed} talks={open} go={go} />
          <Stack gap="md" style={{ minWidth: 0 }}>
            {files.map((file, i) => (
              <FileView
                key={file.path}
                from={from}
                file={file}
                split={split}
                marked={talked.has(file.path) ? marked : nothing}
                below={talked.has(file.path) ? below : nowhere}
                at={at?.path === file.path ? at : undefined}
                choose={maySay ? choose : undefined}
                elsewhere={byFile.has(file.path) ? elsewhere : undefined}
                viewed={isViewed(file)}
                setViewed={see}
                first={i < 6 || file.path === to.file || byFile.has(file.path)}
              />
            ))}
          </Stack>
        </div>
      )}
      {help && <Keys close={() => setHelp(false)} />}
      {reviewing && (
        <ReviewDialog
          proposal={proposal}
          comments={drafts.said.length}
          busy={review.isPending}
          error={review.error}
          close={() => setReviewing(false)}
          submit={submit}
        />
      )}
    </Stack>
  );
}

/** The text of chosen lines of the new file, for a suggestion to begin with. */
function lineText(files: FileDiff[], at?: LineAt): string | undefined {
  const file = at && !at.old ? files.find((f) => f.path === at.path) : undefined;
  if (!file || !at) return undefined;
  const lines = parseHunks(file.patch ?? '').filter(
    (l) => l.new !== undefined && l.new >= (at.start ?? at.line) && l.new <= at.line,
  );
  return lines.map((l) => l.text.replace(/\r$/, '')).join('\n');
}
