import { Button, Checkbox } from '@mantine/core';
import { IconCheck, IconChevronDown, IconChevronRight, IconCopy, IconLink } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { memo, type ReactNode, useRef, useState } from 'react';
import { type DiffWish, type ProposalPath, proposalDiff } from '../../api/queries';
import type { FileDiff } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { State } from '../../parts/State';
import { useCopy } from '../../parts/useCopy';
import { FileBody, type LineAt } from './FileBody';
import { Images, isImage } from './Images';
import classes from './proposal.module.css';
import { useNear } from './reviewing';

/** Lines above which a file is folded until somebody wants it. */
const large = 800;

/** A file that is compared, in a proposal or elsewhere. */
export type ShownFile = Omit<FileDiff, 'oldHash' | 'newHash' | 'oldMode' | 'newMode'> & Partial<FileDiff>;

interface Props {
  file: ShownFile;
  split: boolean;
  /** What stands below a line: talks, and the box for a new one. */
  below: (at: LineAt) => ReactNode;
  /** Lines that have something below them, by lineKey. */
  marked: Set<string>;
  /** Where more of it is to be had: the lines between, pictures, and what is too large to come at once. */
  from?: {
    path: ProposalPath;
    /** The commits that the two files are of. */
    commits: { from: string; to: string };
    base: string;
    wish: DiffWish;
  };
  at?: LineAt;
  /** Chooses lines to say something of; undefined when the reader may not. */
  choose?: (at: LineAt) => void;
  /** Talks about lines that are not shown any more. */
  elsewhere?: (file: ShownFile) => ReactNode;
  viewed?: boolean;
  setViewed?: (file: ShownFile, viewed: boolean) => void;
  /** It is drawn at once, and not when it comes near to what can be seen. */
  first?: boolean;
}

/** Stands for a diff of nowhere, which nobody asks for. */
const nowhere = proposalDiff({ namespace: '', name: '', number: 0 }, '', '', {}, '');

/** A file with its changes. Until it comes near to what can be seen it is its name and plain text, so that a page of many
 * files is there at once, and is searched, linked and gone through as a whole. */
export const FileView = memo(function FileView(props: Props) {
  const { file } = props;
  const at = useRef<HTMLElement>(null);
  const near = useNear(at, props.first ?? true);
  const name = file.oldPath ? `${file.oldPath} → ${file.path}` : file.path;
  return (
    <section className={classes.file} id={`file-${file.path}`} aria-label={name} ref={at} data-file tabIndex={-1}>
      {near ? (
        <Near {...props} name={name} />
      ) : (
        <>
          <div className={classes.fileHead}>
            <code>{name}</code>
            <span className={classes.plus}>+{file.additions}</span>
            <span className={classes.minus}>−{file.deletions}</span>
          </div>
          {!props.viewed && file.patch && <pre className={classes.plain}>{file.patch}</pre>}
        </>
      )}
    </section>
  );
});

function Near(props: Props & { name: string }) {
  const { from, file, name, viewed = false, setViewed, elsewhere } = props;
  const [fold, setFold] = useState<boolean>();
  const picture = file.binary && isImage(file.path);
  const big = file.folded || (file.patch?.split('\n').length ?? 0) > large;
  const open = fold === undefined ? !viewed && !big : !fold;
  const whole = useQuery({
    ...(from ? proposalDiff(from.path, from.base, from.commits.to, from.wish, file.path) : nowhere),
    enabled: open && from !== undefined && (file.folded ?? false),
  });
  const shown = file.folded ? (whole.data?.files.find((f) => f.path === file.path) ?? file) : file;
  const Chevron = open ? IconChevronDown : IconChevronRight;
  return (
    <>
      <div className={classes.fileHead}>
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          px={4}
          aria-expanded={open}
          aria-label={`${open ? 'Fold' : 'Unfold'} ${file.path}`}
          onClick={() => setFold(open)}
        >
          <Chevron size={16} aria-hidden />
        </Button>
        <code>{name}</code>
        {from && <TakeAlong path={file.path} />}
        {file.status !== 'modified' && <State state={file.status} bare />}
        {file.oldMode !== file.newMode && file.status === 'modified' && (
          <span className={classes.note}>
            mode {file.oldMode} → {file.newMode}
          </span>
        )}
        <span className={classes.plus}>+{file.additions}</span>
        <span className={classes.minus}>−{file.deletions}</span>
        {setViewed && (
          <Checkbox
            size="xs"
            label="Viewed"
            aria-label={`Viewed ${file.path}`}
            checked={viewed}
            onChange={(e) => {
              setFold(undefined);
              setViewed(file, e.currentTarget.checked);
            }}
          />
        )}
      </div>
      {elsewhere?.(file)}
      {!open && big && !viewed && (
        <div className={classes.words}>
          It is large.{' '}
          <Button size="compact-sm" variant="default" onClick={() => setFold(false)}>
            Load it
          </Button>
        </div>
      )}
      {open && (
        <>
          <Failure error={whole.error} retry={() => whole.refetch()} />
          {whole.isFetching && <div className={classes.words}>It is being loaded…</div>}
          {picture && from ? (
            <Images path={from.path} file={file} commits={from.commits} />
          ) : shown.patch ? (
            <FileBody {...props} of={from && { ...from.path, head: from.commits.to }} file={shown} />
          ) : (
            !whole.isFetching && <div className={classes.words}>{nothing(shown)}</div>
          )}
        </>
      )}
    </>
  );
}

/** Why no lines of a file are shown. */
function nothing(file: ShownFile): string {
  if (file.binary) return 'It is not text.';
  if (file.status === 'type') return 'It became another kind of thing, such as a link.';
  if (file.folded) return 'It is too large to be shown.';
  return file.oldMode === file.newMode ? 'Only its name changed, or nothing in it.' : 'Only its mode changed.';
}

/** Copies the path of a file, and the address of its changes. */
function TakeAlong({ path }: { path: string }) {
  const name = useCopy();
  const link = useCopy();
  const address = () => {
    const url = new URL(location.href);
    url.searchParams.set('file', path);
    url.searchParams.delete('line');
    return url.href;
  };
  const buttons = [
    { label: `Copy the path ${path}`, state: name, act: () => name.copy(path), Icon: IconCopy },
    { label: `Copy a link to ${path}`, state: link, act: () => link.copy(address()), Icon: IconLink },
  ];
  return (
    <span className={classes.take}>
      {buttons.map(({ label, state, act, Icon }) => (
        <button
          key={label}
          type="button"
          className={classes.taken}
          aria-label={state.copied ? 'Copied' : label}
          title={label}
          onClick={act}
        >
          {state.copied ? <IconCheck size={14} aria-hidden /> : <Icon size={14} aria-hidden />}
        </button>
      ))}
    </span>
  );
}

export type { LineAt };
