import { Button, Group, Stack, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { type Said, useComment, useEditComment, useSettle } from '../../api/proposing';
import { me, type ProposalPath } from '../../api/queries';
import type { ProposalComment, ProposalDetail } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { State } from '../../parts/State';
import { unfolded } from './planned';
import classes from './proposal.module.css';
import { type Batch, Suggested } from './Suggested';

const MarkdownText = lazy(() => import('../../parts/Markdown'));

export function Words({ text }: { text: string }) {
  return (
    <Suspense fallback={<span style={{ whiteSpace: 'pre-wrap' }}>{text}</span>}>
      <MarkdownText text={text} />
    </Suspense>
  );
}

interface SayingProps {
  comment: ProposalComment;
  about?: string;
  path: ProposalPath;
  /** For what it suggests; without it a suggestion is shown as it was written. */
  proposal?: ProposalDetail;
  batch?: Batch;
}

/** A text without its suggestion, which is shown as a diff. */
const withoutSuggestion = (text: string) =>
  text.replace(/^ {0,3}(`{3,}|~{3,})[ \t]*suggestion[ \t]*\r?\n(?:[\s\S]*?\n)?? {0,3}\1[`~]*[ \t]*$/m, '').trim();

/** What somebody said, and when; what it suggests; and what became of what it commands. */
export function Saying({ comment, about, path, proposal, batch }: SayingProps) {
  const [editing, setEditing] = useState(false);
  const who = useQuery(me);
  const edit = useEditComment(path);
  const mine = who.data && comment.author.id === who.data.id;
  const suggests = comment.suggestion !== undefined && proposal;
  const words = suggests ? withoutSuggestion(comment.body) : unfolded(comment.body);
  return (
    <article aria-label={`${comment.author.name} said`}>
      <div className={classes.who}>
        <b>{comment.author.name}</b>
        <Moment at={comment.created} />
        {comment.updated !== comment.created && <span>changed</span>}
        {about && <code>{about}</code>}
        {mine && !editing && (
          <Button
            size="compact-xs"
            variant="subtle"
            color="gray"
            style={{ marginInlineStart: 'auto' }}
            onClick={() => setEditing(true)}
          >
            Change it
          </Button>
        )}
      </div>
      {editing && (
        <div className={classes.words}>
          <Say
            label="Your words"
            button="Keep it"
            begin={comment.body}
            busy={edit.isPending}
            error={edit.error}
            say={(text) => edit.mutate({ id: comment.id, text }, { onSuccess: () => setEditing(false) })}
            cancel={() => setEditing(false)}
          />
        </div>
      )}
      {words && !editing && (
        <div className={classes.words}>
          <Words text={words} />
        </div>
      )}
      {suggests && !editing && <Suggested path={path} proposal={proposal} comment={comment} batch={batch} />}
      {(comment.commands ?? []).length > 0 && (
        <ul className={classes.commands} aria-label="Commands">
          {(comment.commands ?? []).map((c, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the commands of a comment never change
            <li key={i}>
              <State
                state={c.state === 'done' ? 'succeeded' : c.state === 'passed' ? 'waiting' : c.state}
                said={c.state}
                bare
              />
              <code>/{c.name}</code> <span>{c.answer}</span>
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

interface SayProps {
  label: string;
  button: string;
  busy: boolean;
  error: unknown;
  say: (text: string, done: () => void) => void;
  cancel?: () => void;
  /** The other thing that can be done with the words. */
  other?: { label: string; say: (text: string, done: () => void) => void };
  /** What is put into the text by a button, such as a suggestion to be changed. */
  insert?: { label: string; text: string };
  /** What it begins with. */
  begin?: string;
}

/** Takes words. What was written stays when sending fails. */
export function Say({ label, button, busy, error, say, cancel, other, insert, begin = '' }: SayProps) {
  const [text, setText] = useState(begin);
  const done = () => setText('');
  return (
    <Stack gap="xs">
      <Textarea
        label={label}
        placeholder="Markdown"
        autosize
        minRows={2}
        maxRows={16}
        maxLength={65_536}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && text.trim()) say(text, done);
        }}
      />
      <Failure error={error} />
      <Group gap="xs">
        <Button size="compact-md" disabled={!text.trim()} loading={busy} onClick={() => say(text, done)}>
          {button}
        </Button>
        {other && (
          <Button size="compact-md" variant="default" disabled={!text.trim()} onClick={() => other.say(text, done)}>
            {other.label}
          </Button>
        )}
        {insert && (
          <Button
            size="compact-md"
            variant="subtle"
            color="gray"
            onClick={() => setText((now) => (now ? `${now}\n\n${insert.text}` : insert.text))}
          >
            {insert.label}
          </Button>
        )}
        {cancel && (
          <Button size="compact-md" variant="subtle" color="gray" onClick={cancel}>
            Cancel
          </Button>
        )}
      </Group>
    </Stack>
  );
}

interface TalkProps {
  path: ProposalPath;
  first: ProposalComment;
  answers: ProposalComment[];
  about?: string;
  maySettle: boolean;
  proposal: ProposalDetail;
  batch?: Batch;
  /** The lines as they were are shown with it, since they are not shown around it. */
  quoted?: boolean;
}

/** A comment on a line with its answers; it can be settled, and then folds. */
export function Talk({ path, first, answers, about, maySettle, proposal, batch, quoted }: TalkProps) {
  const [answering, setAnswering] = useState(false);
  const comment = useComment(path);
  const settle = useSettle(path);
  const [shown, setShown] = useState(false);
  if (first.resolved && !shown) {
    return (
      <div className={classes.said} data-talk tabIndex={-1}>
        <div className={classes.who} style={{ border: 0 }}>
          <span>
            {first.author.name} on <code>{about}</code>, settled by {first.resolved.name}
          </span>
          <Button size="compact-xs" variant="subtle" onClick={() => setShown(true)}>
            Show it
          </Button>
        </div>
      </div>
    );
  }
  return (
    <div className={classes.said} data-talk tabIndex={-1}>
      {quoted && first.quote && first.suggestion === undefined && <pre className={classes.quote}>{first.quote}</pre>}
      <Saying comment={first} about={about} path={path} proposal={proposal} batch={batch} />
      {answers.map((c) => (
        <Saying key={c.id} comment={c} path={path} proposal={proposal} batch={batch} />
      ))}
      <div className={classes.answer}>
        {answering ? (
          <Say
            label="Answer"
            button="Answer"
            busy={comment.isPending}
            error={comment.error}
            say={(text, done) =>
              comment.mutate(
                { body: text, replyTo: first.id },
                {
                  onSuccess: () => {
                    done();
                    setAnswering(false);
                  },
                },
              )
            }
            cancel={() => setAnswering(false)}
          />
        ) : (
          <Group gap="xs">
            <Button size="compact-xs" variant="default" onClick={() => setAnswering(true)}>
              Answer
            </Button>
            {maySettle && (
              <Button
                size="compact-xs"
                variant="default"
                loading={settle.isPending}
                onClick={() => settle.mutate({ id: first.id, settled: !first.resolved })}
              >
                {first.resolved ? 'Open it again' : 'Settle it'}
              </Button>
            )}
          </Group>
        )}
        <Failure error={settle.error} />
      </div>
    </div>
  );
}

/** The lines that a comment is on, as people write them. */
export function linesAbout(c: Pick<ProposalComment, 'start' | 'line' | 'old'>): string {
  const one = !c.start || c.start === c.line;
  return `${c.old ? 'old ' : ''}${one ? `line ${c.line}` : `lines ${c.start}–${c.line}`}`;
}

/** Comments as talks: those that begin one, with what was answered. */
export function talks(comments: ProposalComment[]): { first: ProposalComment; answers: ProposalComment[] }[] {
  const answers = new Map<string, ProposalComment[]>();
  for (const c of comments) {
    if (c.replyTo) answers.set(c.replyTo, [...(answers.get(c.replyTo) ?? []), c]);
  }
  return comments.filter((c) => !c.replyTo).map((first) => ({ first, answers: answers.get(first.id) ?? [] }));
}

export type { Said };
