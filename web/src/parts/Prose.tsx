import { lazy, Suspense } from 'react';

const MarkdownText = lazy(() => import('./Markdown'));

/** What plain words have not; only a text with one of these is worth being read as Markdown, since there may be thousands. */
const signs = /[*_`#[\]<>|~\\]|\n\s*\n|\n\s*(?:[-+]|\d+[.)])\s|https?:/;

/** What people wrote to tell what something is: plain words, or Markdown. */
export function Prose({ text, className }: { text: string; className?: string }) {
  const plain = <p className={className}>{text}</p>;
  if (!signs.test(text)) return plain;
  return (
    <Suspense fallback={plain}>
      <div className={className} style={{ whiteSpace: 'normal' }}>
        <MarkdownText text={text} />
      </div>
    </Suspense>
  );
}
