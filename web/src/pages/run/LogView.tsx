import { ActionIcon, Switch, TextInput, Tooltip } from '@mantine/core';
import { IconDownload, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useFollowed } from '../../api/live';
import type { Problem } from '../../api/problem';
import classes from './LogView.module.css';
import { append, emptyLog, search } from './log';

interface Props {
  run: string;
  step: string;
  attempt: number;
  title: string;
}

/** A step's log, live, with search, follow and download. It starts anew when given another key. */
export function LogView({ run, step, attempt, title }: Props) {
  const [log, setLog] = useState(emptyLog);
  const [text, setText] = useState('');
  const [follow, setFollow] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const path = `/runs/${encodeURIComponent(run)}/steps/${encodeURIComponent(step)}/log`;
  const refused = useFollowed('log', log.done ? null : { run, step, attempt, offset: log.offset }, {
    log: (piece) => setLog((l) => append(l, piece)),
    end: () => setLog((l) => ({ ...l, done: true })),
  });
  const lines = useMemo(() => search(log, text), [log, text]);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => 20,
    overscan: 30,
  });

  useEffect(() => {
    if (follow && lines.length > 0) rows.scrollToIndex(lines.length - 1, { align: 'end' });
  }, [follow, lines.length, rows]);

  return (
    <div className={classes.log}>
      <div className={classes.tools}>
        <TextInput
          size="xs"
          className={classes.search}
          leftSection={<IconSearch size={14} aria-hidden />}
          placeholder="Search this log"
          aria-label="Search this log"
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
        />
        {text && <span>{lines.length} lines</span>}
        <Switch size="xs" label="Follow" checked={follow} onChange={(e) => setFollow(e.currentTarget.checked)} />
        <Tooltip label="Download">
          <ActionIcon
            component="a"
            href={`/api/v1${path}?attempt=${attempt}`}
            download={`${step}.log`}
            variant="subtle"
            color="gray"
            aria-label="Download the log"
          >
            <IconDownload size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div ref={box} className={classes.box} role="log" aria-label={`Log of ${title}`} aria-live="off" tabIndex={0}>
        {lines.length === 0 ? (
          <p className={classes.none}>{silence(text, log.done, refused)}</p>
        ) : (
          <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
            {rows.getVirtualItems().map((row) => {
              const line = lines[row.index];
              return (
                <div
                  key={row.key}
                  ref={rows.measureElement}
                  data-index={row.index}
                  className={classes.line}
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  <span className={classes.number}>{line?.number}</span>
                  <span className={classes.text}>{line?.text}</span>
                </div>
              );
            })}
          </div>
        )}
      </div>
    </div>
  );
}

function silence(text: string, done: boolean, refused?: Problem): string {
  if (text) return 'No line holds that.';
  if (done) return 'It wrote nothing.';
  return refused ? `The log can’t be read: ${refused.message}` : 'Nothing written yet.';
}
