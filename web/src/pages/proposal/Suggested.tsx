import { Button, Group } from '@mantine/core';
import { useProposal } from '../../api/proposing';
import type { ProposalPath } from '../../api/queries';
import type { ProposalComment, ProposalDetail } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { shortCommit } from '../../words/ref';
import classes from './proposal.module.css';
import { markWords, type Piece } from './words';

/** Suggestions that are gathered to be committed together. */
export interface Batch {
  ids: string[];
  set: (ids: string[]) => void;
}

interface Props {
  path: ProposalPath;
  proposal: ProposalDetail;
  comment: ProposalComment;
  batch?: Batch;
}

const linesOf = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** What a comment would have in place of its lines, as a small diff that can be committed. */
export function Suggested({ path, proposal, comment, batch }: Props) {
  const act = useProposal(path);
  const before = linesOf((comment.quote ?? '').replace(/\r\n/g, '\n'));
  const after = linesOf(comment.suggestion ?? '');
  const one = before.length === after.length ? before.map((line, i) => markWords(line, after[i] as string)) : [];
  const may = proposal.can.includes('review') && proposal.state === 'open' && !comment.applied;
  const fits = (comment.nowLine ?? 0) > 0;
  const chosen = batch?.ids.includes(comment.id);
  return (
    <section className={classes.suggested} aria-label="Suggestion">
      <table className={classes.diff}>
        <tbody>
          {before.map((text, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a suggestion never change
            <tr key={`- ${i}`}>
              <td data-kind="removed">
                <span className={classes.sign}>-</span>
                <Pieces text={text} pieces={one[i]?.before} />
              </td>
            </tr>
          ))}
          {after.map((text, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a suggestion never change
            <tr key={`+ ${i}`}>
              <td data-kind="added">
                <span className={classes.sign}>+</span>
                <Pieces text={text} pieces={one[i]?.after} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <div className={classes.answer}>
        {comment.applied && (
          <span className={classes.note}>
            Committed as <code>{shortCommit(comment.applied)}</code>
          </span>
        )}
        {may && !fits && (
          <span className={classes.note}>The lines have changed since; it can’t be committed as it is.</span>
        )}
        {may && fits && (
          <Group gap="xs">
            <Button
              size="compact-xs"
              loading={act.isPending}
              onClick={() => act.mutate({ do: 'apply', comments: [comment.id], head: proposal.head })}
            >
              Commit suggestion
            </Button>
            {batch && (
              <Button
                size="compact-xs"
                variant="default"
                onClick={() =>
                  batch.set(chosen ? batch.ids.filter((id) => id !== comment.id) : [...batch.ids, comment.id])
                }
              >
                {chosen ? 'Take out of batch' : 'Add to batch'}
              </Button>
            )}
            <CopyCommand command={`roadbed proposal apply '${proposal.full}' ${comment.id}`} />
          </Group>
        )}
        <Failure error={act.error} />
      </div>
    </section>
  );
}

function Pieces({ text, pieces }: { text: string; pieces?: Piece[] }) {
  if (!pieces) return text;
  // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a line never change
  return pieces.map((p, i) => (p.changed ? <mark key={i}>{p.text}</mark> : p.text));
}
