import { Code } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { file, rawAddress } from '../../api/code';
import type { Repository } from '../../api/types';
import { Section } from '../../parts/Page';
import { within } from './lines';
import { placeOf } from './place';

const MarkdownText = lazy(() => import('../../parts/Markdown'));

interface Props {
  repo: Repository;
  head: string;
  at?: string;
  path: string;
}

const pictures = /\.(png|jpe?g|gif|webp|avif|svg|ico)$/i;

/** Markdown of a repository, whose links and pictures are those of the same commit. */
export function Prose({ repo, head, at, path, text }: Props & { text: string }) {
  const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
  return (
    <Suspense>
      <MarkdownText
        text={text}
        place={(href) => {
          const to = within(folder, href);
          if (to === undefined) return undefined;
          return placeOf(repo, { ref: at, path: to });
        }}
        picture={(src) => {
          const to = within(folder, src);
          return to !== undefined && pictures.test(to) ? rawAddress(repo, head, to) : undefined;
        }}
      />
    </Suspense>
  );
}

/** The README of a folder, as it is meant to be read. */
export function Readme({ repo, head, at, path }: Props) {
  const query = useQuery(file(repo.namespace, repo.name, head, path));
  if (!query.data?.text) return null;
  return (
    <Section title={path.split('/').at(-1)}>
      {/\.(md|markdown)$/i.test(path) ? (
        <Prose repo={repo} head={head} at={at} path={path} text={query.data.text} />
      ) : (
        <Code block bg="transparent">
          {query.data.text}
        </Code>
      )}
    </Section>
  );
}
