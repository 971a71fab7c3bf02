import { Button } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { memo, type ReactNode, useMemo, useState } from 'react';
import type { FileDiff } from '../../api/types';
import { State } from '../../parts/State';
import { type DiffLine, lineKey, parseHunks, sideBySide } from './hunks';
import classes from './proposal.module.css';

/** Lines above which a file is folded until somebody wants it. */
const large = 800;

export interface LineAt {
  path: string;
  line: number;
  old: boolean;
}

interface Props {
  file: FileDiff;
  split: boolean;
  /** What stands below a line: talks, and the box for a new one. */
  below: (at: LineAt) => ReactNode;
  /** Lines that have something below them, by lineKey. */
  marked: Set<string>;
  /** Chooses a line to say something of; undefined when the reader may not. */
  choose?: (at: LineAt) => void;
}

const signs: Record<DiffLine['kind'], string> = { added: '+', removed: '-', same: ' ', place: '', note: '' };

export const FileView = memo(function FileView({ file, split, below, marked, choose }: Props) {
  const lines = useMemo(() => parseHunks(file.patch ?? ''), [file.patch]);
  const [open, setOpen] = useState(lines.length <= large);
  const Chevron = open ? IconChevronDown : IconChevronRight;
  const name = file.oldPath ? `${file.oldPath} → ${file.path}` : file.path;
  return (
    <section className={classes.file} id={`file-${file.path}`} aria-label={name}>
      <div className={classes.fileHead}>
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          px={4}
          aria-expanded={open}
          aria-label={`${open ? 'Fold' : 'Unfold'} ${file.path}`}
          onClick={() => setOpen(!open)}
        >
          <Chevron size={16} aria-hidden />
        </Button>
        <code>{name}</code>
        {file.status !== 'modified' && <State state={file.status} bare />}
        <span className={classes.plus}>+{file.additions}</span>
        <span className={classes.minus}>−{file.deletions}</span>
      </div>
      {open && lines.length === 0 && (
        <div className={classes.words}>
          {file.binary
            ? 'It is not text.'
            : 'Nothing of it is shown here: it is too large, or only its name or mode changed.'}
        </div>
      )}
      {open && lines.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <section className={classes.scroll} tabIndex={0} aria-label={`Changes of ${file.path}`}>
          <table className={`${classes.diff} ${split ? classes.split : ''}`}>
            <colgroup>
              <col className={classes.numbers} />
              {split && <col />}
              <col className={classes.numbers} />
              <col />
            </colgroup>
            <tbody>
              {split
                ? sideBySide(lines).flatMap((pair, i) => {
                    const key = `${i}`;
                    if (pair.left?.kind === 'place' || pair.left?.kind === 'note') {
                      return [
                        <tr key={key}>
                          <td colSpan={4} data-kind={pair.left.kind}>
                            {pair.left.text}
                          </td>
                        </tr>,
                      ];
                    }
                    const rows = [
                      <tr key={key}>
                        <Half line={pair.left} old file={file} choose={choose} />
                        <Half line={pair.right} old={false} file={file} choose={choose} />
                      </tr>,
                    ];
                    for (const at of places(file, pair.left, pair.right)) {
                      if (marked.has(lineKey(at.path, at.line, at.old))) {
                        rows.push(
                          <tr key={`${key} ${at.old}`}>
                            <td colSpan={4} className={classes.talk}>
                              {below(at)}
                            </td>
                          </tr>,
                        );
                      }
                    }
                    return rows;
                  })
                : lines.flatMap((line, i) => {
                    const key = `${i}`;
                    if (line.kind === 'place' || line.kind === 'note') {
                      return [
                        <tr key={key}>
                          <td colSpan={3} data-kind={line.kind}>
                            {line.text}
                          </td>
                        </tr>,
                      ];
                    }
                    const rows = [
                      <tr key={key}>
                        <LineNumber
                          line={line.kind === 'added' ? undefined : line.old}
                          old
                          file={file}
                          choose={choose}
                        />
                        <LineNumber line={line.new} old={false} file={file} choose={choose} />
                        <td data-kind={line.kind}>
                          <span className={classes.sign}>{signs[line.kind]}</span>
                          {line.text}
                        </td>
                      </tr>,
                    ];
                    for (const at of places(file, line, line)) {
                      if (marked.has(lineKey(at.path, at.line, at.old))) {
                        rows.push(
                          <tr key={`${key} ${at.old}`}>
                            <td colSpan={3} className={classes.talk}>
                              {below(at)}
                            </td>
                          </tr>,
                        );
                      }
                    }
                    return rows;
                  })}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
});

/** The lines of the two files that a row shows. */
function places(file: FileDiff, left?: DiffLine, right?: DiffLine): LineAt[] {
  const out: LineAt[] = [];
  if (left?.old !== undefined) out.push({ path: file.path, line: left.old, old: true });
  if (right?.new !== undefined) out.push({ path: file.path, line: right.new, old: false });
  return out;
}

interface NumberProps {
  line?: number;
  old: boolean;
  file: FileDiff;
  choose?: (at: LineAt) => void;
}

function LineNumber({ line, old, file, choose }: NumberProps) {
  if (line === undefined) return <td className={classes.number} />;
  return (
    <td className={classes.number}>
      {choose ? (
        <button
          type="button"
          aria-label={`Say something of ${old ? 'old ' : ''}line ${line} of ${file.path}`}
          onClick={() => choose({ path: file.path, line, old })}
        >
          {line}
        </button>
      ) : (
        line
      )}
    </td>
  );
}

function Half({
  line,
  old,
  file,
  choose,
}: {
  line?: DiffLine;
  old: boolean;
  file: FileDiff;
  choose?: (at: LineAt) => void;
}) {
  return (
    <>
      <LineNumber line={old ? line?.old : line?.new} old={old} file={file} choose={choose} />
      <td data-kind={line ? line.kind : 'none'}>
        {line && <span className={classes.sign}>{signs[line.kind]}</span>}
        {line?.text}
      </td>
    </>
  );
}
