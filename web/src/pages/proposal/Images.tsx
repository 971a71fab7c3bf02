import { useQuery } from '@tanstack/react-query';
import type { ProposalPath } from '../../api/queries';
import type { FileDiff } from '../../api/types';
import { Failure } from '../../parts/Failure';
import classes from './proposal.module.css';

const types: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  ico: 'image/x-icon',
  bmp: 'image/bmp',
};

const typeOf = (path: string) => types[path.slice(path.lastIndexOf('.') + 1).toLowerCase()];

/** Whether a file is a picture that browsers show. Drawings in SVG are text, and compared as such. */
export const isImage = (path: string) => typeOf(path) !== undefined;

/** Pictures above this size are not fetched, in bytes. */
const most = 8 << 20;

/** A picture as it was and as it is. */
export function Images({
  path,
  file,
  commits,
}: {
  path: ProposalPath;
  file: Pick<FileDiff, 'path' | 'oldPath' | 'status'>;
  commits: { from: string; to: string };
}) {
  return (
    <div className={classes.images}>
      {file.status !== 'added' && (
        <Picture path={path} at={commits.from} file={file.oldPath ?? file.path} what="before" />
      )}
      {file.status !== 'deleted' && <Picture path={path} at={commits.to} file={file.path} what="after" />}
    </div>
  );
}

function Picture({ path, at, file, what }: { path: ProposalPath; at: string; file: string; what: string }) {
  const query = useQuery({
    queryKey: ['picture', path.namespace, path.name, at, file],
    queryFn: async ({ signal }) => {
      const address = `/api/v1/repositories/${path.namespace}/${path.name}/raw?${new URLSearchParams({ ref: at, path: file })}`;
      const answer = await fetch(address, { signal });
      if (!answer.ok) throw new Error(`the picture can't be read (${answer.status})`);
      const bytes = await answer.arrayBuffer();
      if (bytes.byteLength > most) throw new Error('the picture is too large to be shown');
      const blob = new Blob([bytes], { type: typeOf(file) });
      return { url: await dataOf(blob), size: bytes.byteLength };
    },
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  return (
    <figure>
      <Failure error={query.error} />
      {query.data && <img src={query.data.url} alt={`${file} ${what}`} />}
      <figcaption>
        {what}
        {query.data && `, ${query.data.size.toLocaleString('en')} bytes`}
      </figcaption>
    </figure>
  );
}

function dataOf(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
