import { ActionIcon, Button, Switch, TextInput, Tooltip } from '@mantine/core';
import { IconDownload, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { address } from '../../api/address';
import { useFollowed } from '../../api/live';
import type { Problem } from '../../api/problem';
import { lineOfRow, phasesOf, type Row, rowsOf } from './folds';
import { LogLine } from './LogLine';
import { LogPhase } from './LogPhase';
import classes from './LogView.module.css';
import { append, emptyLog } from './log';

interface Props {
  run: string;
  step: string;
  attempt: number;
  title: string;
  /** The line that an address leads to. */
  line?: number;
  /** Takes the step, and perhaps a line of it, into the address: the view stays with it then. */
  choose: (line?: string) => void;
}

/** How near to its end a reader counts as following, in pixels. */
const nearEnd = 24;
/** The height of a line that has not been shown yet, in pixels. */
const lineHeight = 20;
const phaseHeight = 32;
const keyOf = (row: Row | undefined, i: number) => (row ? `${row.phase ? 'phase ' : ''}${lineOfRow(row)}` : i);

/** A step's log, live, its phases folded when they are over, with search, follow and download. It starts anew when given another key. */
export function LogView({ run, step, attempt, title, line, choose }: Props) {
  const [log, setLog] = useState(emptyLog);
  const [text, setText] = useState('');
  const [follow, setFollow] = useState(!line);
  const [sought, setSought] = useState(line);
  const box = useRef<HTMLDivElement>(null);
  const top = useRef(0);
  const refused = useFollowed('log', log.done ? null : { run, step, attempt }, {
    log: (piece) => setLog((l) => append(l, piece)),
    end: () => setLog((l) => ({ ...l, done: true })),
  });
  const [turned, setTurned] = useState<ReadonlyMap<number, boolean>>(new Map());
  const [reads, setReads] = useState<number>(); // where the phase began that went on when following ended
  const phases = useMemo(() => phasesOf(log, turned, line, reads), [log, turned, line, reads]);
  const lines = useMemo(() => rowsOf(log, phases, text), [log, phases, text]);
  const allOpen = phases.every((p) => p.open);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: (i) => (lines[i]?.phase ? phaseHeight : lineHeight),
    getItemKey: (i) => keyOf(lines[i], i),
    overscan: 30,
  });

  // Lines that are dropped from the beginning don't move what is read.
  const held = useRef(lines);
  useLayoutEffect(() => {
    const gone = held.current.filter((row) => row.line && row.line.number <= log.dropped).length;
    held.current = lines;
    if (gone === 0 || follow || text || !box.current) return;
    top.current = Math.max(0, box.current.scrollTop - gone * lineHeight);
    box.current.scrollTop = top.current;
  }, [log.dropped, lines, follow, text]);

  useEffect(() => {
    if (follow && lines.length > 0) rows.scrollToIndex(lines.length - 1, { align: 'end' });
  }, [follow, lines.length, rows]);
  useEffect(() => {
    const at = sought ? lines.findIndex((row) => lineOfRow(row) === sought) : -1;
    if (at < 0) return;
    if (log.done) setSought(undefined);
    rows.scrollToIndex(at, { align: 'center' });
  }, [sought, lines, log.done, rows]);

  // The address leads to its line until all has come, or its reader goes elsewhere.
  const leave = () => setSought(undefined);
  const unfollow = () => {
    if (follow) setReads(phases.findLast((p) => !p.over)?.line);
    setFollow(false);
  };
  const refollow = () => {
    setFollow(true);
    setReads(undefined);
  };
  const turn = (line: number, open: boolean) => {
    unfollow();
    setTurned((before) => new Map(before).set(line, open));
  };
  const stay = () => {
    unfollow();
    choose(line ? String(line) : undefined);
  };
  const scrolled = () => {
    const { scrollTop = 0, clientHeight = 0, scrollHeight = 0 } = box.current ?? {};
    const back = scrollTop < top.current - 1;
    top.current = scrollTop;
    if (scrollHeight - scrollTop - clientHeight <= nearEnd) {
      if (!text && !log.done && !sought) refollow();
    } else if (back && follow) stay(); // who reads back is not to be carried away
  };

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
        {phases.length > 1 && !text && (
          <Button
            size="compact-xs"
            variant="subtle"
            color="gray"
            onClick={() => setTurned(new Map(phases.map((p) => [p.line, !allOpen])))}
          >
            {allOpen ? 'Fold all' : 'Open all'}
          </Button>
        )}
        <Switch
          size="xs"
          label="Follow"
          checked={follow}
          onChange={(e) => (e.currentTarget.checked ? refollow() : stay())}
        />
        <Tooltip label="Download all of it">
          <ActionIcon
            component="a"
            href={address('/api/v1/runs/{id}/steps/{step}/log/file', { path: { id: run, step }, query: { attempt } })}
            download={`${step}.log`}
            variant="subtle"
            color="gray"
            aria-label="Download the log"
          >
            <IconDownload size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </div>
      {log.dropped > 0 && (
        <p className={classes.dropped} role="status">
          The first {log.dropped.toLocaleString('en')} lines are not shown{text && ' and not searched'}; download the
          log to have all of it.
        </p>
      )}
      <div
        ref={box}
        className={classes.box}
        role="log"
        aria-label={`Log of ${title}`}
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={scrolled}
        onWheel={leave}
        onPointerDown={leave}
        onKeyDown={leave}
      >
        {lines.length === 0 ? (
          <p className={classes.none}>{silence(text, log.done, refused)}</p>
        ) : (
          <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
            {rows.getVirtualItems().map((row) => {
              const one = lines[row.index];
              return (
                <div
                  key={row.key}
                  ref={rows.measureElement}
                  data-index={row.index}
                  data-chosen={(one && lineOfRow(one) === line) || undefined}
                  className={classes.line}
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  {one?.phase && <LogPhase phase={one.phase} turn={() => turn(one.phase.line, !one.phase.open)} />}
                  {one?.line && (
                    <LogLine
                      line={one.line}
                      choose={() => {
                        unfollow();
                        choose(String(one.line.number));
                      }}
                    />
                  )}
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
