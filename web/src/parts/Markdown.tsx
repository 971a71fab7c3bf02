import Markdown from 'react-markdown';
import gfm from 'remark-gfm';
import classes from './Markdown.module.css';

const plugins = [gfm];

/** What people wrote, as Markdown: no HTML of theirs, and no pictures from elsewhere. */
export default function MarkdownText({ text }: { text: string }) {
  return (
    <div className={classes.text}>
      <Markdown
        remarkPlugins={plugins}
        components={{
          img: ({ alt, src }) => (
            <a href={String(src)} rel="noreferrer nofollow">
              {alt || 'picture'}
            </a>
          ),
          input: ({ checked }) => <span>{checked ? '☑ ' : '☐ '}</span>,
          a: ({ href, children }) => (
            <a href={href} rel="noreferrer nofollow">
              {children}
            </a>
          ),
        }}
      >
        {text}
      </Markdown>
    </div>
  );
}
