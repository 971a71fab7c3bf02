import { Button, Group, Stack, Textarea } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { type Said, useComment, useSettle } from '../../api/proposing';
import type { ProposalPath } from '../../api/queries';
import type { ProposalComment } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import classes from './proposal.module.css';

const MarkdownText = lazy(() => import('../../parts/Markdown'));

export function Words({ text }: { text: string }) {
  return (
    <Suspense fallback={<span style={{ whiteSpace: 'pre-wrap' }}>{text}</span>}>
      <MarkdownText text={text} />
    </Suspense>
  );
}

/** What somebody said, and when. */
export function Saying({ comment, about }: { comment: ProposalComment; about?: string }) {
  return (
    <article aria-label={`${comment.author.name} said`}>
      <div className={classes.who}>
        <b>{comment.author.name}</b>
        <Moment at={comment.created} />
        {comment.updated !== comment.created && <span>changed</span>}
        {about && <code>{about}</code>}
      </div>
      <div className={classes.words}>
        <Words text={comment.body} />
      </div>
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
}

/** Takes words. What was written stays when sending fails. */
export function Say({ label, button, busy, error, say, cancel, other }: SayProps) {
  const [text, setText] = useState('');
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
}

/** A comment on a line with its answers; it can be settled, and then folds. */
export function Talk({ path, first, answers, about, maySettle }: TalkProps) {
  const [answering, setAnswering] = useState(false);
  const comment = useComment(path);
  const settle = useSettle(path);
  const [shown, setShown] = useState(false);
  if (first.resolved && !shown) {
    return (
      <div className={classes.said}>
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
    <div className={classes.said}>
      <Saying comment={first} about={about} />
      {answers.map((c) => (
        <Saying key={c.id} comment={c} />
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

/** Comments as talks: those that begin one, with what was answered. */
export function talks(comments: ProposalComment[]): { first: ProposalComment; answers: ProposalComment[] }[] {
  const answers = new Map<string, ProposalComment[]>();
  for (const c of comments) {
    if (c.replyTo) answers.set(c.replyTo, [...(answers.get(c.replyTo) ?? []), c]);
  }
  return comments.filter((c) => !c.replyTo).map((first) => ({ first, answers: answers.get(first.id) ?? [] }));
}

export type { Said };
