import { Alert, Button, Checkbox, Group, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type CSSProperties, type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { searchFiles } from '../../api/code';
import type { FoundFile, FoundLine, Repository } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { digitsOf } from './Code';
import { Go, placeOf } from './place';
import { RefPicker } from './RefPicker';
import classes from './repository.module.css';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** Looks for a text in the files of a commit; what is looked for is in the address. */
export default function Search({ repo }: { repo: Repository }) {
  const given = route.useSearch();
  const navigate = route.useNavigate();
  const ref = given.ref ?? repo.defaultBranch;
  const regex = given.regex === 'true';
  const exact = given.case === 'true';
  const [text, setText] = useState(given.text ?? '');
  const [path, setPath] = useState(given.in ?? '');
  useEffect(() => setText(given.text ?? ''), [given.text]);
  useEffect(() => setPath(given.in ?? ''), [given.in]);
  const asked = { ref, text: given.text ?? '', regex: regex || undefined, case: exact || undefined, path: given.in };
  const query = useInfiniteQuery(searchFiles(repo, asked));
  const pages = query.data?.pages ?? [];
  const files = pages.flatMap((p) => p.items);
  const cut = pages.at(-1)?.cut;
  const commit = pages[0]?.commit;
  const set = (more: Partial<typeof given>) => navigate({ search: (s) => ({ ...s, ...more }), replace: true });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void set({ text: text.trim() ? text : undefined, in: path.trim() || undefined });
  };
  const flags = [regex && ' --regex', exact && ' --case', given.in && ` --path '${given.in}'`].filter(Boolean).join('');
  return (
    <div style={{ display: 'grid', gap: 12, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <form onSubmit={submit}>
        <Group gap="xs" align="center">
          <RefPicker repo={repo} value={ref} choose={(to) => placeOf(repo, { ...given, tab: 'search', ref: to })} />
          <TextInput
            aria-label="Text to look for"
            placeholder={regex ? 'Regular expression' : 'Text'}
            value={text}
            maxLength={500}
            onChange={(e) => setText(e.currentTarget.value)}
            style={{ flex: '1 1 220px' }}
            autoFocus={!given.text}
          />
          <TextInput
            aria-label="Folder or pattern of files"
            placeholder="Folder, or *.go"
            value={path}
            maxLength={500}
            onChange={(e) => setPath(e.currentTarget.value)}
            style={{ flex: '0 1 180px' }}
          />
          <Button type="submit">Search</Button>
          <CopyCommand
            command={`roadbed repo search ${repo.namespace}/${repo.name} '${given.text ?? 'TEXT'}' --ref ${ref}${flags}`}
          />
          <Checkbox
            label="Regular expression"
            checked={regex}
            onChange={(e) => set({ regex: e.currentTarget.checked ? 'true' : undefined })}
          />
          <Checkbox
            label="Match case"
            checked={exact}
            onChange={(e) => set({ case: e.currentTarget.checked ? 'true' : undefined })}
          />
        </Group>
      </form>
      {!given.text && (
        <Section>
          <Empty title="Look for a text in all files">
            One line, or a regular expression. Files that are no text are left out; their names are found by pressing t
            on the page of files.
          </Empty>
        </Section>
      )}
      {given.text && query.isPending && <Rows />}
      {query.isLoadingError && (
        <Failure error={query.error} retry={() => query.refetch()} title="Nothing was looked for" />
      )}
      {query.isSuccess && files.length === 0 && (
        <Section>
          <Empty title="Nothing was found">
            {cut
              ? 'The search took too long. Name a folder or a pattern of files.'
              : 'Look without the folder, or in another branch.'}
          </Empty>
        </Section>
      )}
      {files.length > 0 && (
        <p className={classes.quiet} style={{ margin: 0 }} role="status">
          {files.length}
          {query.hasNextPage || cut ? ' or more' : ''} {files.length === 1 ? 'file' : 'files'}
        </p>
      )}
      {files.map((f) => (
        <FileFound key={f.path} file={f} repo={repo} at={commit ?? ref} branch={given.ref} />
      ))}
      {cut && files.length > 0 && (
        <Alert color="yellow" variant="light" title="Not everything was looked at">
          {cut === 'time' ? 'It took too long.' : 'There are too many matches.'} Name a folder or a pattern of files to
          see the rest.
        </Alert>
      )}
      <More query={query} />
    </div>
  );
}

interface FoundProps {
  file: FoundFile;
  repo: Repository;
  at: string;
  branch?: string;
}

function FileFound({ file, repo, at, branch }: FoundProps) {
  const first = file.lines.find((l) => l.match)?.line;
  return (
    <Section flush>
      <div className={classes.fileHead}>
        <Go
          at={repo}
          to={{ ref: branch, path: file.path, look: 'code', hash: first ? `L${first}` : undefined }}
          fw={550}
        >
          {file.path}
        </Go>
        {file.more && <span className={classes.quiet}>it has more matches than these</span>}
      </div>
      <div className={classes.code} style={{ '--digits': digitsOf(file.lines.at(-1)?.line ?? 0) } as CSSProperties}>
        {file.lines.map((l, i) => {
          const gap = i > 0 && l.line !== (file.lines[i - 1]?.line ?? 0) + 1;
          return (
            <div key={l.line} className={classes.line}>
              <Go
                at={repo}
                to={{ ref: at, path: file.path, look: 'code', hash: `L${l.line}` }}
                className={gap ? classes.place : undefined}
              >
                {l.line}
              </Go>
              <span className={gap ? classes.place : undefined}>{l.match ? marked(l) : l.text}</span>
            </div>
          );
        })}
      </div>
    </Section>
  );
}

/** A line with what was found in it. */
function marked(line: FoundLine): ReactNode[] {
  const text = Array.from(line.text); // marks count characters
  const out: ReactNode[] = [];
  let done = 0;
  for (const mark of line.marks ?? []) {
    const [from = 0, to = 0] = mark ?? [];
    out.push(text.slice(done, from).join(''));
    out.push(
      <mark key={from} className={classes.mark}>
        {text.slice(from, to).join('')}
      </mark>,
    );
    done = to;
  }
  out.push(text.slice(done).join(''));
  return out;
}
