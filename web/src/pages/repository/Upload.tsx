import { Alert, Button, FileButton, List, Stack, Text, TextInput } from '@mantine/core';
import { IconUpload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { tree } from '../../api/code';
import type { Repository } from '../../api/types';
import { Section } from '../../parts/Page';
import { Table } from '../../parts/Table';
import { bytes } from '../../words/time';
import { CommitForm } from './CommitForm';
import { Dropzone } from './Dropzone';
import { placeOf } from './place';
import { type Chosen, changesOf, most, read, tellOf, tooMuch, withMore } from './upload';
import { useKept } from './useKept';

interface Props {
  repo: Repository;
  /** The newest commit of the branch, when there is one. */
  head: string;
  branch: string;
  /** The folder; it ends in a slash, or is empty. */
  path: string;
  /** What was dropped on the way here. */
  dropped: File[];
}

/** Puts files of the reader's machine into a folder, in one commit. */
export default function Upload({ repo, head, branch, path, dropped }: Props) {
  const there = useQuery({
    ...tree(repo.namespace, repo.name, head, path.replace(/\/$/, '')),
    enabled: Boolean(head),
    retry: false, // there may be no such folder yet
  });
  const [files, setFiles] = useState<Chosen[]>([]);
  const [refused, setRefused] = useState<string[]>([]);
  const again = useRef<() => void>(null); // so that the same file can be chosen once more
  const take = (picked: File[]) =>
    read(picked).then((got) => {
      again.current?.();
      setFiles((now) => withMore(now, got.files));
      setRefused(got.refused);
    });
  const began = useRef(false);
  useEffect(() => {
    if (!began.current && dropped.length > 0) void take(dropped);
    began.current = true;
  });
  const committed = useKept(files.length > 0);
  const told = useMemo(() => tellOf(files, path, there.data?.items ?? []), [files, path, there.data]);
  const much = tooMuch(files);
  const rename = (at: number, name: string) => setFiles((now) => now.map((f, i) => (i === at ? { ...f, name } : f)));
  const rows = files.map((f, i) => ({ ...f, ...told[i], at: i }));
  const total = files.reduce((sum, f) => sum + f.size, 0);
  const folder = path || 'the top folder';
  return (
    <Stack gap="md">
      <Section title={`Upload to ${folder}`}>
        <Dropzone take={take}>
          <IconUpload size={22} aria-hidden />
          <Text size="sm">Drop files here, or choose them.</Text>
          <FileButton
            multiple
            resetRef={again}
            onChange={(picked) => void take(picked)}
            inputProps={{ 'aria-label': 'Files to upload' }}
          >
            {(props) => (
              <Button {...props} variant={files.length ? 'default' : 'filled'}>
                Choose files
              </Button>
            )}
          </FileButton>
          <Text size="xs" c="dimmed">
            Up to {most.files} files with {bytes(most.bytes)} together, texts or not.
          </Text>
        </Dropzone>
      </Section>
      {files.length > 0 && (
        <Section flush>
          <Table
            label="Files to upload"
            rows={rows}
            id={(f) => String(f.at)}
            columns={[
              {
                name: 'Name',
                cell: (f) => (
                  <TextInput
                    aria-label={`Name of file ${f.at + 1}`}
                    value={f.name}
                    error={f.bad}
                    maxLength={1000}
                    onChange={(e) => rename(f.at, e.currentTarget.value)}
                  />
                ),
              },
              { name: 'Size', width: 90, right: true, wide: true, cell: (f) => bytes(f.size) },
              { name: 'There', width: 120, wide: true, cell: (f) => (f.base ? 'is replaced' : 'is new') },
              {
                name: 'Next',
                width: 110,
                right: true,
                cell: (f) => (
                  <Button
                    size="compact-sm"
                    variant="default"
                    aria-label={`Leave out ${f.name}`}
                    onClick={() => setFiles((now) => now.filter((_, i) => i !== f.at))}
                  >
                    Leave out
                  </Button>
                ),
              },
            ]}
          />
        </Section>
      )}
      <div role="status">
        {refused.length > 0 && (
          <Alert color="yellow" variant="light" title="Not taken" withCloseButton onClose={() => setRefused([])}>
            <List size="sm">
              {refused.map((why) => (
                <List.Item key={why}>{why}</List.Item>
              ))}
            </List>
          </Alert>
        )}
        {much && (
          <Alert color="red" variant="light" title="Too much for one commit">
            {much}
          </Alert>
        )}
        {files.length > 0 && !much && (
          <Text size="sm" c="dimmed">
            {files.length === 1 ? '1 file' : `${files.length} files`}, {bytes(total)}
          </Text>
        )}
      </div>
      {files.length > 0 && (
        <CommitForm
          repo={repo}
          head={head}
          branch={branch}
          path={path}
          about={files[0]?.name}
          words={files.length === 1 ? `Upload ${told[0]?.path}` : `Upload ${files.length} files to ${folder}`}
          ready={!much && told.every((t) => !t.bad) && !(head && there.isPending)}
          changes={changesOf(files, told)}
          back={placeOf(repo, { ref: branch, path })}
          committed={committed}
        />
      )}
    </Stack>
  );
}
