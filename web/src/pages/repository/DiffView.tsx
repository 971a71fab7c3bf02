import { Alert, Group, SegmentedControl, Stack } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import type { UseQueryResult } from '@tanstack/react-query';
import type { FileDiff } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { FileView } from '../proposal/FileView';
import classes from '../proposal/proposal.module.css';

const nothing = new Set<string>();
const none = () => null;

interface Props {
  query: UseQueryResult<{ files: FileDiff[]; truncated: boolean }>;
  none: string;
}

/** What changed, file by file, to be read. */
export function DiffView({ query, none: empty }: Props) {
  const [split, setSplit] = useLocalStorage({ key: 'diff-split', defaultValue: false });
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (!query.data) return <Rows />;
  const { files, truncated } = query.data;
  if (files.length === 0) {
    return (
      <Section>
        <Empty title="Nothing changes">{empty}</Empty>
      </Section>
    );
  }
  const sum = (of: (f: FileDiff) => number) => files.reduce((n, f) => n + of(f), 0);
  return (
    <Stack gap="md">
      <Group justify="space-between">
        <Group gap="sm">
          <span>
            {files.length} {files.length === 1 ? 'file' : 'files'}
          </span>
          <span className={classes.plus}>+{sum((f) => f.additions)}</span>
          <span className={classes.minus}>−{sum((f) => f.deletions)}</span>
        </Group>
        <SegmentedControl
          size="xs"
          aria-label="How changes are shown"
          value={split ? 'split' : 'one'}
          onChange={(value) => setSplit(value === 'split')}
          data={[
            { value: 'one', label: 'One column' },
            { value: 'split', label: 'Side by side' },
          ]}
        />
      </Group>
      {truncated && (
        <Alert color="yellow" variant="light" title="Not all of it is shown">
          It is too large. Clone the repository and use git diff to see the rest.
        </Alert>
      )}
      {files.map((file) => (
        <FileView key={file.path} file={file} split={split} marked={nothing} below={none} />
      ))}
    </Stack>
  );
}
