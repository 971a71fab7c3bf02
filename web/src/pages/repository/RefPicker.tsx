import { Button, Popover, ScrollArea, SegmentedControl, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconChevronDown, IconGitBranch } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useState } from 'react';
import { branchList, tagList } from '../../api/code';
import type { Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Rows } from '../../parts/Page';
import { useEnter } from '../../parts/useEnter';
import { shortCommit } from '../../words/ref';
import classes from './repository.module.css';

interface Props {
  repo: Repository;
  value: string;
  /** The address to go to for another one. */
  choose: (ref: string) => string;
  label?: string;
}

/** Chooses a branch, a tag or a commit. */
export function RefPicker({ repo, value, choose, label }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <Popover opened={open} onChange={setOpen} width={300} position="bottom-start" trapFocus withinPortal>
      <Popover.Target>
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<IconGitBranch size={14} aria-hidden />}
          rightSection={<IconChevronDown size={14} aria-hidden />}
          aria-label={`${label ?? 'Branch, tag or commit'}: ${value}`}
          onClick={() => setOpen(!open)}
          maw={260}
        >
          {shortCommit(value)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p="xs">
        {open && <Choices repo={repo} choose={choose} close={() => setOpen(false)} />}
      </Popover.Dropdown>
    </Popover>
  );
}

function Choices({ repo, choose, close }: { repo: Repository; choose: (ref: string) => string; close: () => void }) {
  const [kind, setKind] = useState<'branches' | 'tags'>('branches');
  const [text, setText] = useState('');
  const [sought] = useDebouncedValue(text.trim(), 150);
  const navigate = useNavigate();
  const branches = useInfiniteQuery({ ...branchList(repo, sought, false), enabled: kind === 'branches' });
  const tags = useInfiniteQuery({ ...tagList(repo, sought, false), enabled: kind === 'tags' });
  const query = kind === 'branches' ? branches : tags;
  const names = query.data?.pages.flatMap((p) => p.items.map((r) => r.name)) ?? [];
  const go = (ref: string) => {
    close();
    void navigate({ to: choose(ref) });
  };
  const typed = text.trim();
  const isCommit = /^[0-9a-f]{7,64}$/.test(typed);
  const late = sought !== typed || query.isPlaceholderData || query.isPending;
  const enter = useEnter(text, late && !isCommit, () => {
    const first = isCommit ? typed : names[0];
    if (first) go(first);
  });
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    enter();
  };
  return (
    <Stack gap="xs">
      <TextInput
        placeholder="Name, or a commit"
        aria-label="Name of a branch or a tag, or a commit"
        value={text}
        data-autofocus
        onChange={(e) => setText(e.currentTarget.value)}
        onKeyDown={onKey}
      />
      <SegmentedControl
        fullWidth
        size="xs"
        value={kind}
        onChange={(v) => setKind(v as 'branches' | 'tags')}
        data={[
          { value: 'branches', label: 'Branches' },
          { value: 'tags', label: 'Tags' },
        ]}
      />
      <ScrollArea.Autosize mah={280}>
        <ul className={classes.choices}>
          {isCommit && (
            <li>
              <button type="button" onClick={() => go(typed)}>
                The commit {shortCommit(typed)}
              </button>
            </li>
          )}
          {names.map((name) => (
            <li key={name}>
              <button type="button" onClick={() => go(name)}>
                {name}
              </button>
            </li>
          ))}
        </ul>
        {query.isPending && <Rows count={3} />}
        {query.isSuccess && names.length === 0 && !isCommit && <p className={classes.none}>None is called that</p>}
        <Failure error={query.error} />
        <More query={query} />
      </ScrollArea.Autosize>
    </Stack>
  );
}
