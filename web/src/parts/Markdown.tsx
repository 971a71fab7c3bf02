import { Link } from '@tanstack/react-router';
import Markdown from 'react-markdown';
import gfm from 'remark-gfm';
import classes from './Markdown.module.css';

const plugins = [gfm];

interface Props {
  text: string;
  /** Where a link of the text leads, when that is a place here. */
  place?: (href: string) => string | undefined;
  /** Where a picture of the text is, when that is here. */
  picture?: (src: string) => string | undefined;
}

/** What people wrote, as Markdown: no HTML of theirs, and no pictures from elsewhere. */
export default function MarkdownText({ text, place, picture }: Props) {
  return (
    <div className={classes.text}>
      <Markdown
        remarkPlugins={plugins}
        components={{
          img: ({ alt, src }) => {
            const here = picture?.(String(src));
            if (here) return <img src={here} alt={alt ?? ''} loading="lazy" />;
            return (
              <a href={String(src)} rel="noreferrer nofollow">
                {alt || 'picture'}
              </a>
            );
          },
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also for who uses the keyboard alone
          pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
          table: ({ children }) => (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also for who uses the keyboard alone
            <div className={classes.table} tabIndex={0}>
              <table>{children}</table>
            </div>
          ),
          input: ({ checked }) => <span>{checked ? '☑ ' : '☐ '}</span>,
          a: ({ href, children }) => {
            const here = place?.(String(href));
            if (here) return <Link to={here}>{children}</Link>;
            return (
              <a href={href} rel="noreferrer nofollow">
                {children}
              </a>
            );
          },
        }}
      >
        {text}
      </Markdown>
    </div>
  );
}
