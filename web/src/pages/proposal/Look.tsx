import { Button, Checkbox, Group, SegmentedControl, Select } from '@mantine/core';
import type { DiffWish } from '../../api/queries';
import type { FileDiff, ProposalDetail } from '../../api/types';
import { shortCommit } from '../../words/ref';
import type { Looking } from './Files';
import classes from './proposal.module.css';

interface Props {
  proposal: ProposalDetail;
  /** The reader's own id. */
  mine?: string;
  files: FileDiff[];
  seen: number;
  split: boolean;
  wish: DiffWish;
  look: (next: Looking) => void;
  drafts: number;
  review: () => void;
  help: () => void;
}

/** How changes are looked at, and the button that ends it with a review. */
export function Look({ proposal, mine, files, seen, split, wish, look, drafts, review, help }: Props) {
  const added = files.reduce((n, f) => n + f.additions, 0);
  const removed = files.reduce((n, f) => n + f.deletions, 0);
  const heads = [...new Set(proposal.reviews.map((r) => r.head))].filter((h) => h !== proposal.head);
  const own = proposal.reviews.filter((r) => r.author.id === mine && r.head !== proposal.head).at(-1)?.head;
  const since = [
    { value: '', label: 'All changes' },
    ...heads.map((h) => ({
      value: h,
      label: h === own ? `Since my review of ${shortCommit(h)}` : `Since a review of ${shortCommit(h)}`,
    })),
  ];
  if (wish.since && !heads.includes(wish.since))
    since.push({ value: wish.since, label: `Since ${shortCommit(wish.since)}` });
  return (
    <Group justify="space-between" className={classes.look}>
      <Group gap="sm">
        <span>
          {files.length} {files.length === 1 ? 'file' : 'files'}
        </span>
        <span className={classes.plus}>+{added}</span>
        <span className={classes.minus}>−{removed}</span>
        {seen > 0 && (
          <span className={classes.note}>
            {seen} of {files.length} viewed
          </span>
        )}
      </Group>
      <Group gap="sm">
        {since.length > 1 && (
          <Select
            aria-label="Which changes"
            size="xs"
            w={230}
            data={since}
            value={wish.since ?? ''}
            allowDeselect={false}
            onChange={(value) => look({ wish: { ...wish, since: value || undefined } })}
          />
        )}
        <Checkbox
          size="xs"
          label="Hide white space"
          checked={wish.space === 'ignore'}
          onChange={(e) => look({ wish: { ...wish, space: e.currentTarget.checked ? 'ignore' : undefined } })}
        />
        <SegmentedControl
          aria-label="How changes are shown"
          value={split ? 'split' : 'one'}
          onChange={(value) => look({ split: value === 'split' })}
          data={[
            { value: 'one', label: 'One column' },
            { value: 'split', label: 'Side by side' },
          ]}
        />
        <Button variant="subtle" color="gray" px={8} onClick={help} aria-label="Keys" title="Keys (?)">
          ?
        </Button>
        {proposal.can.includes('review') && proposal.state === 'open' && (
          <Button onClick={review}>Review{drafts > 0 ? ` with ${drafts} comments` : ''}</Button>
        )}
      </Group>
    </Group>
  );
}
