import { Button, Stack } from '@mantine/core';
import type { Said, useComment } from '../../api/proposing';
import type { ProposalPath } from '../../api/queries';
import type { ProposalDetail } from '../../api/types';
import type { LineAt } from './FileBody';
import { lineKey } from './hunks';
import classes from './proposal.module.css';
import type { Batch } from './Suggested';
import { linesAbout, Say, Talk, type talks } from './Talk';

interface Props {
  path: ProposalPath;
  proposal: ProposalDetail;
  place: LineAt;
  /** Lines that were chosen to say something of; the box is shown below the last of them. */
  at?: LineAt;
  /** Their text. */
  text?: string;
  talks: ReturnType<typeof talks>;
  drafts: Said[];
  batch: Batch;
  comment: ReturnType<typeof useComment>;
  keep: (said: Said) => void;
  drop: (said: Said) => void;
  close: () => void;
}

/** What stands below a line: talks, comments that wait for a review, and the box for a new one. */
export function LineTalks({
  path,
  proposal,
  place,
  at,
  text,
  talks,
  drafts,
  batch,
  comment,
  keep,
  drop,
  close,
}: Props) {
  const here = at && lineKey(at.path, at.line, at.old) === lineKey(place.path, place.line, place.old);
  const review = proposal.can.includes('review');
  return (
    <Stack gap="sm">
      {talks.map((talk) => (
        <Talk
          key={talk.first.id}
          path={path}
          proposal={proposal}
          {...talk}
          about={linesAbout({ ...talk.first, start: talk.first.nowStart, line: talk.first.nowLine })}
          maySettle={proposal.can.includes('settle')}
          batch={batch}
        />
      ))}
      {drafts.map((s) => (
        <div key={s.body} className={classes.said}>
          <div className={classes.who}>
            <b>You, with your review</b>
            <span>{linesAbout(s)}</span>
            <Button size="compact-xs" variant="subtle" color="gray" onClick={() => drop(s)}>
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
          label={`Of ${linesAbout(at)}`}
          button="Say it now"
          busy={comment.isPending}
          error={comment.error}
          say={(body, done) =>
            comment.mutate(
              { ...at, body },
              {
                onSuccess: () => {
                  done();
                  close();
                },
              },
            )
          }
          other={
            review && proposal.state === 'open'
              ? {
                  label: 'Keep it for a review',
                  say: (body, done) => {
                    keep({ ...at, body });
                    done();
                    close();
                  },
                }
              : undefined
          }
          insert={
            text !== undefined && proposal.state === 'open'
              ? { label: 'Suggest other lines', text: `\`\`\`suggestion\n${text}\n\`\`\`` }
              : undefined
          }
          cancel={close}
        />
      )}
    </Stack>
  );
}
