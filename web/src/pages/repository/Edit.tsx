import { Alert, Button, Group, SegmentedControl, Stack, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useMemo, useState } from 'react';
import { file } from '../../api/code';
import { suggestion } from '../../api/sources';
import type { Repository, RepositoryFile } from '../../api/types';
import { Empty, Rows, Section } from '../../parts/Page';
import { FileView } from '../proposal/FileView';
import { CommitForm } from './CommitForm';
import { patchOf } from './change';
import { Findings } from './Findings';
import { endingOf } from './lines';
import { NotThere } from './NotThere';
import { mayWrite, placeOf } from './place';
import { useKept } from './useKept';

const Editor = lazy(() => import('./Editor'));
const Upload = lazy(() => import('./Upload'));
const nothing = new Set<string>();

interface Props {
  repo: Repository;
  /** The commit that is edited, when there is one. */
  head: string;
  branch: string;
  path: string;
  look: string;
  /** Files that were dropped on a folder. */
  dropped: File[];
}

/** Changes, writes or deletes one file, or uploads some, and commits that. */
export default function Edit({ head: newest, ...rest }: Props) {
  const [head] = useState(newest); // a push meanwhile takes nothing away of what is being written
  const props = { ...rest, head };
  const { repo, path, look } = props;
  const isNew = look === 'new';
  const query = useQuery({ ...file(repo.namespace, repo.name, head, path), enabled: !isNew && look !== 'upload' });
  if (repo.archived) return <Refused {...props} why="The repository is archived, so nothing in it changes." />;
  if (!mayWrite(repo))
    return (
      <Refused
        {...props}
        why="You may read this repository, and not change it. An administrator of its space may let you."
      />
    );
  if (/^[0-9a-f]{40,64}$/.test(props.branch))
    return <Refused {...props} why="A commit is not changed. Choose a branch first." />;
  if (look === 'upload') return <Upload {...props} head={newest} />;
  if (isNew && /(^|\/)catalog-info\.ya?ml$/.test(path)) return <Suggested {...props} />;
  if (isNew) return <Changing {...props} />;
  if (query.isLoadingError)
    return <NotThere repo={repo} at={props.branch} error={query.error} retry={() => query.refetch()} />;
  const seen = query.data;
  if (!seen) return <Rows />;
  if (look === 'delete') return <Changing {...props} seen={seen} />;
  if (seen.binary || seen.tooLarge)
    return <Refused {...props} why="It is not a text in UTF-8, or too large. Change it in a clone, and push." />;
  if (seen.target) return <Refused {...props} why="It is a link. Edit what it leads to, or change it in a clone." />;
  return <Changing {...props} seen={seen} />;
}

function Refused({ repo, branch, path, why }: Props & { why: string }) {
  return (
    <Section>
      <Empty
        title="This can't be edited here"
        action={
          <Button component={Link} to={placeOf(repo, { ref: branch, path })} variant="default">
            Back
          </Button>
        }
      >
        {why}
      </Empty>
    </Section>
  );
}

/** A new file that declares what the repository is begins with what is suggested for it. */
function Suggested(props: Props) {
  const { repo, path } = props;
  const query = useQuery(suggestion(`/git/${repo.namespace}/${repo.name}/${path}`));
  return query.isPending ? <Rows /> : <Changing {...props} begin={query.data?.document} />;
}

interface ChangingProps extends Props {
  seen?: RepositoryFile;
  /** What a new file begins with. */
  begin?: string;
}

function Changing({ repo, head, branch, path, look, seen, begin = '' }: ChangingProps) {
  const isNew = look === 'new';
  const deletes = look === 'delete';
  const [base, setBase] = useState(seen);
  const before = base?.text ?? '';
  const [text, setText] = useState(begin || before);
  const [name, setName] = useState(path);
  const [show, setShow] = useState<'text' | 'change'>('text');
  const after = deletes ? '' : text;
  const changed = isNew ? text !== '' || name !== path : deletes || text !== before || name !== path;
  const committed = useKept(changed && !deletes && !(isNew && text === begin && name === path));
  const told = useMemo(
    () => (show === 'change' || deletes ? patchOf(before, after) : undefined),
    [show, deletes, before, after],
  );
  const ending = useMemo(() => endingOf(seen?.text ?? '') ?? '\n', [seen]);
  const mixed = seen?.text !== undefined && endingOf(seen.text) === undefined;
  const target = name.trim().replace(/^\/+/, '');
  const folder = target === '' || target.endsWith('/');
  const changes = deletes
    ? [{ path, delete: true, base: base?.hash }]
    : isNew || target === path
      ? [{ path: target, text, base: base?.hash ?? '' }]
      : [
          { path, delete: true, base: base?.hash },
          { path: target, text, base: '' },
        ];
  const words = deletes
    ? `Delete ${path}`
    : isNew
      ? `Add ${target || 'a file'}`
      : target === path
        ? `Change ${path}`
        : `Move ${path} to ${target}`;
  return (
    <Stack gap="md">
      {!deletes && (
        <Group gap="xs" align="flex-end">
          <TextInput
            label={isNew ? 'Path of the new file' : 'Path'}
            value={name}
            placeholder="docs/guide.md"
            maxLength={1000}
            onChange={(e) => setName(e.currentTarget.value)}
            style={{ flex: '1 1 260px' }}
          />
          <SegmentedControl
            aria-label="What is shown"
            value={show}
            onChange={(value) => setShow(value as 'text' | 'change')}
            data={[
              { value: 'text', label: 'Text' },
              { value: 'change', label: 'What changes' },
            ]}
          />
        </Group>
      )}
      {mixed && (
        <Alert color="yellow" variant="light" title="Its lines end in different ways">
          They stay as they are; lines that you add end as in Unix.
        </Alert>
      )}
      {!deletes && (
        <div style={{ display: show === 'text' ? undefined : 'none' }}>
          <Suspense fallback={<Rows />}>
            <Editor text={begin || before} path={path} ending={mixed ? '\n' : ending} changed={setText} />
          </Suspense>
        </div>
      )}
      {told &&
        (told.patch ? (
          <FileView
            file={{ path: deletes ? path : target, status: deletes ? 'deleted' : base ? 'modified' : 'added', ...told }}
            split={false}
            marked={nothing}
            below={() => null}
          />
        ) : (
          <Section>
            <Empty title={deletes ? 'An empty file' : 'No line changes'} />
          </Section>
        ))}
      {!deletes && <Findings path={target} text={text} />}
      <CommitForm
        repo={repo}
        head={head}
        branch={branch}
        path={deletes ? path : target || path}
        words={words}
        ready={changed && !folder}
        changes={changes}
        back={placeOf(repo, { ref: branch, path: isNew ? path.replace(/[^/]*$/, '') : path })}
        committed={committed}
        renew={seen && ((now) => setBase(now))}
      />
    </Stack>
  );
}
