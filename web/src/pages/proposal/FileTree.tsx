import { TextInput } from '@mantine/core';
import { IconCheck, IconMessage } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import type { FileDiff } from '../../api/types';
import classes from './proposal.module.css';

interface Props {
  files: FileDiff[];
  viewed: (file: FileDiff) => boolean;
  /** Talks that are open, by path. */
  talks: Map<string, number>;
  go: (path: string) => void;
}

/** The changed files by folder, with a filter. */
export function FileTree({ files, viewed, talks, go }: Props) {
  const [filter, setFilter] = useState('');
  const groups = useMemo(() => {
    const out = new Map<string, FileDiff[]>();
    for (const file of files) {
      if (!file.path.toLowerCase().includes(filter.trim().toLowerCase())) continue;
      const folder = file.path.includes('/') ? file.path.slice(0, file.path.lastIndexOf('/')) : '';
      out.set(folder, [...(out.get(folder) ?? []), file]);
    }
    return [...out].sort(([a], [b]) => a.localeCompare(b));
  }, [files, filter]);
  return (
    <nav className={classes.tree} aria-label="Changed files">
      <TextInput
        size="xs"
        aria-label="Filter files"
        placeholder="Filter files"
        id="filter-files"
        value={filter}
        onChange={(e) => setFilter(e.currentTarget.value)}
      />
      <ul>
        {groups.map(([folder, inside]) => (
          <li key={folder}>
            {folder && <span className={classes.folder}>{folder}/</span>}
            <ul>
              {inside.map((file) => (
                <li key={file.path}>
                  <button
                    type="button"
                    className={classes.leaf}
                    onClick={() => go(file.path)}
                    title={file.path}
                    data-status={file.status}
                  >
                    <span>{file.path.slice(folder ? folder.length + 1 : 0)}</span>
                    {(talks.get(file.path) ?? 0) > 0 && (
                      <span className={classes.note}>
                        <IconMessage size={13} aria-label="open talks" /> {talks.get(file.path)}
                      </span>
                    )}
                    {viewed(file) && <IconCheck size={14} aria-label="viewed" />}
                  </button>
                </li>
              ))}
            </ul>
          </li>
        ))}
        {groups.length === 0 && <li className={classes.note}>No file has that in its name.</li>}
      </ul>
    </nav>
  );
}
