import { Modal, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useState } from 'react';
import { paths } from '../../api/code';
import type { Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { useEnter } from '../../parts/useEnter';
import { placeOf } from './place';
import classes from './repository.module.css';

interface Props {
  repo: Repository;
  head: string;
  at?: string;
  close: () => void;
}

/** Finds a file by characters of its path, among all of a commit. */
export function GoToFile({ repo, head, at, close }: Props) {
  const [text, setText] = useState('');
  const [sought] = useDebouncedValue(text.trim(), 100);
  const query = useQuery(paths(repo, head, sought));
  const [chosen, setChosen] = useState(0);
  const navigate = useNavigate();
  const items = query.data?.paths ?? [];
  const go = (path: string) => {
    close();
    void navigate({ to: placeOf(repo, { ref: at, path }) });
  };
  const enter = useEnter(text, sought !== text.trim() || query.isPlaceholderData || query.isPending, () => {
    const path = items[chosen];
    if (path) go(path);
  });
  const onKey = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      event.preventDefault();
      setChosen((now) => Math.min(Math.max(now + move, 0), Math.max(items.length - 1, 0)));
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      enter();
    }
  };
  return (
    <Modal opened onClose={close} title="Go to file" size="lg" yOffset="8vh">
      <TextInput
        placeholder="Characters of its path"
        aria-label="Characters of its path"
        data-autofocus
        value={text}
        role="combobox"
        aria-expanded
        aria-controls="files-found"
        aria-activedescendant={items[chosen] ? `file-${chosen}` : undefined}
        onChange={(e) => {
          setText(e.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={onKey}
      />
      <div className={classes.found} id="files-found" role="listbox" aria-label="Files">
        {items.map((path, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are heard by the text above
          // biome-ignore lint/a11y/useFocusableInteractive: the text above keeps the focus
          <div key={path} role="option" id={`file-${i}`} aria-selected={i === chosen} onClick={() => go(path)}>
            {path}
          </div>
        ))}
      </div>
      {query.isSuccess && items.length === 0 && <p className={classes.none}>No file has such a path</p>}
      <Failure error={query.error} />
    </Modal>
  );
}
