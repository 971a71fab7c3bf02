import { ActionIcon, Button, Group, SegmentedControl, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy, IconDownload, IconPencil, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Navigate } from '@tanstack/react-router';
import { lazy } from 'react';
import { file, rawAddress } from '../../api/code';
import { asProblem } from '../../api/problem';
import type { Repository, RepositoryFile } from '../../api/types';
import { Empty, Rows, Section } from '../../parts/Page';
import { useCopy } from '../../parts/useCopy';
import { bytes } from '../../words/time';
import { CodeText } from './Code';
import { linesOf, within } from './lines';
import { NotThere } from './NotThere';
import { Go, mayWrite, placeOf } from './place';
import { Prose } from './Readme';
import classes from './repository.module.css';

const Blame = lazy(() => import('./Blame'));
const route = getRouteApi('/shell/repositories/$namespace/$name');
const images = /\.(png|jpe?g|gif|webp|avif|ico|svg)$/i;

interface Props {
  repo: Repository;
  head: string;
  at?: string;
  path: string;
}

/** One file: its text, who wrote it, or what it is. */
export default function File({ repo, head, at, path }: Props) {
  const { look } = route.useSearch();
  const query = useQuery(file(repo.namespace, repo.name, head, path));
  if (query.isLoadingError && /is a folder$/.test(asProblem(query.error).message)) {
    return <Navigate to={placeOf(repo, { ref: at, path: `${path}/` })} replace />; // a link need not end in a slash
  }
  if (query.isLoadingError) return <NotThere repo={repo} at={at} error={query.error} retry={() => query.refetch()} />;
  if (!query.data) return <Rows />;
  return (
    <Section flush>
      <Head repo={repo} head={head} at={at} path={path} file={query.data} />
      {look === 'blame' && query.data.text ? (
        <Blame repo={repo} head={head} path={path} file={query.data} />
      ) : (
        <Content repo={repo} head={head} at={at} path={path} file={query.data} />
      )}
    </Section>
  );
}

interface FileProps extends Props {
  file: RepositoryFile;
}

const isProse = (path: string) => /\.(md|markdown)$/i.test(path);

function Head({ repo, head, at, path, file }: FileProps) {
  const { look } = route.useSearch();
  const navigate = route.useNavigate();
  const { copied, copy } = useCopy();
  const text = file.text ?? '';
  const lines = linesOf(text).length;
  const looks = [
    ...(isProse(path) && text ? [{ value: 'prose', label: 'Preview' }] : []),
    { value: 'code', label: 'Code' },
    ...(text ? [{ value: 'blame', label: 'Blame' }] : []),
    { value: 'history', label: 'History' },
  ];
  const onBranch = !/^[0-9a-f]{40,64}$/.test(at ?? '');
  return (
    <div className={classes.fileHead}>
      <SegmentedControl
        size="xs"
        aria-label="How the file is looked at"
        value={look ?? (isProse(path) && text ? 'prose' : 'code')}
        onChange={(value) => navigate({ search: { ref: at, path, look: value }, replace: true })}
        data={looks}
      />
      <span className={classes.quiet}>
        {text && `${lines.toLocaleString('en')} ${lines === 1 ? 'line' : 'lines'} · `}
        {bytes(file.size)}
        {file.mode === '100755' && ' · runs'}
        {file.target && <> · a link to {file.target}</>}
      </span>
      <span style={{ flex: 1 }} />
      <Group gap={4}>
        {text && (
          <Tooltip label={copied ? 'Copied' : 'Copy it'}>
            <ActionIcon variant="subtle" color="gray" aria-label="Copy the file" onClick={() => copy(text)}>
              {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
            </ActionIcon>
          </Tooltip>
        )}
        <Button component="a" href={rawAddress(repo, head, path)} variant="default" size="compact-sm">
          Raw
        </Button>
        <Tooltip label="Download it">
          <ActionIcon
            component="a"
            href={rawAddress(repo, head, path, true)}
            variant="subtle"
            color="gray"
            aria-label="Download the file"
          >
            <IconDownload size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
        {mayWrite(repo) && onBranch && (
          <>
            {!file.binary && !file.tooLarge && !file.target && (
              <Tooltip label="Edit it">
                <ActionIcon
                  component={Link}
                  to={placeOf(repo, { ref: at, path, look: 'edit' })}
                  variant="subtle"
                  color="gray"
                  aria-label="Edit the file"
                >
                  <IconPencil size={16} aria-hidden />
                </ActionIcon>
              </Tooltip>
            )}
            <Tooltip label="Delete it">
              <ActionIcon
                component={Link}
                to={placeOf(repo, { ref: at, path, look: 'delete' })}
                variant="subtle"
                color="gray"
                aria-label="Delete the file"
              >
                <IconTrash size={16} aria-hidden />
              </ActionIcon>
            </Tooltip>
          </>
        )}
      </Group>
    </div>
  );
}

function Content({ repo, head, at, path, file }: FileProps) {
  const { look } = route.useSearch();
  const raw = rawAddress(repo, head, path);
  if (images.test(path) && (file.binary || look !== 'code')) {
    return (
      <div className={classes.picture}>
        <img src={raw} alt={path} />
      </div>
    );
  }
  const download = (
    <Button component="a" href={rawAddress(repo, head, path, true)} variant="default">
      Download it
    </Button>
  );
  if (file.tooLarge) {
    return (
      <Empty title="Too large to be shown" action={download}>
        It has {bytes(file.size)}. Download it, or clone the repository.
      </Empty>
    );
  }
  if (file.binary) {
    return (
      <Empty title="Not a text" action={download}>
        It has {bytes(file.size)}, and is neither a text in UTF-8 nor a picture.
      </Empty>
    );
  }
  if (file.target && !file.text) {
    const to = within(path.slice(0, Math.max(0, path.lastIndexOf('/'))), file.target);
    return (
      <Empty
        title="A link"
        action={
          to !== undefined && (
            <Go at={repo} to={{ ref: at, path: `${to.replace(/\/$/, '')}/` }}>
              Go there
            </Go>
          )
        }
      >
        It leads to {file.target}.
      </Empty>
    );
  }
  if (!file.text) return <Empty title="An empty file" />;
  if (isProse(path) && look !== 'code') {
    return (
      <div style={{ padding: 16 }}>
        <Prose repo={repo} head={head} at={at} path={path} text={file.text} />
      </div>
    );
  }
  return <CodeText text={file.text} path={path} hash={file.hash} />;
}
