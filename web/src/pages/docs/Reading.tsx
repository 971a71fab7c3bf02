import { Anchor, Button, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconPencil, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { type DocsOf, docsCheck, docsPage, docsSearch } from '../../api/docs';
import type { DocsItem, DocsPage, DocsSite } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Rows } from '../../parts/Page';
import { Article } from './Article';
import { docsPath } from './place';
import classes from './reading.module.css';

interface Props {
  of: DocsOf;
  site: DocsSite;
  path: string;
}

/** A page of docs between the navigation and its own headings. */
export function Reading({ of, site, path }: Props) {
  const query = useQuery(docsPage(of, path));
  const [open, setOpen] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the navigation of a small screen closes with the page
  useEffect(() => setOpen(false), [path]);
  const page = query.data;
  useEffect(() => {
    if (page) document.title = `${page.title} · ${site.title} · Roadbed`;
  }, [page, site.title]);
  return (
    <div className={classes.book}>
      <div className={classes.side}>
        <button type="button" className={classes.opener} aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? 'Hide the pages' : 'Pages'}
        </button>
        <div className={classes.nav} data-open={open || undefined}>
          <Navigation of={of} site={site} path={path} />
        </div>
      </div>
      <article className={classes.page} aria-busy={query.isPlaceholderData || undefined}>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {page && (
          <>
            {page.edit && (
              <Button
                component={Link}
                to={page.edit}
                className={classes.edit}
                variant="subtle"
                size="compact-sm"
                leftSection={<IconPencil size={14} aria-hidden />}
              >
                Edit this page
              </Button>
            )}
            <Article html={page.html} mermaid={page.mermaid} />
            <Around of={of} site={site} page={page} />
          </>
        )}
      </article>
      <div className={classes.toc}>{page && <Contents page={page} />}</div>
    </div>
  );
}

const entityOf = (of: DocsOf) => `${of.kind}:${of.namespace}/${of.name}`;

function Navigation({ of, site, path }: Props) {
  const [text, setText] = useState('');
  const [asked] = useDebouncedValue(text, 150);
  const check = useQuery(docsCheck(of, site.commit));
  const wrong = check.data?.problems.length ?? 0;
  return (
    <>
      <TextInput
        aria-label="Search these docs"
        placeholder="Search these docs"
        leftSection={<IconSearch size={14} aria-hidden />}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Escape') setText('');
        }}
        mb="sm"
      />
      {asked.trim() ? (
        <Found of={of} text={asked} />
      ) : (
        <nav aria-label="Pages">
          <Items of={of} items={site.nav} path={path} />
        </nav>
      )}
      {wrong > 0 && (
        <p className={classes.wrong}>
          <Anchor
            component={Link}
            to={`${docsPath(entityOf(of), '', of.rev)}${of.rev ? '&' : '?'}look=check`}
            size="sm"
          >
            {wrong === 1 ? '1 problem' : `${wrong}${check.data?.more ? '+' : ''} problems`} in these docs
          </Anchor>
        </p>
      )}
    </>
  );
}

/** Whether a page is an item or below it. */
const holds = (item: DocsItem, path: string): boolean =>
  item.path === path || (item.items ?? []).some((i) => holds(i, path));

function Items({ of, items, path }: { of: DocsOf; items: DocsItem[]; path: string }) {
  return (
    <ul className={classes.items}>
      {items.map((item) => (
        <li key={`${item.path ?? item.address ?? ''} ${item.title}`}>
          {item.path !== undefined ? (
            <Link to={docsPath(entityOf(of), item.path, of.rev)} activeOptions={{ exact: true }}>
              {item.title}
            </Link>
          ) : item.address ? (
            <a href={item.address} rel="noreferrer nofollow">
              {item.title}
            </a>
          ) : (
            <details open={holds(item, path) || items.length < 8}>
              <summary>{item.title}</summary>
              <Items of={of} items={item.items ?? []} path={path} />
            </details>
          )}
        </li>
      ))}
    </ul>
  );
}

function Found({ of, text }: { of: DocsOf; text: string }) {
  const query = useQuery(docsSearch(of, text));
  if (query.isLoadingError) return <Failure error={query.error} />;
  if (!query.data) return <Rows count={3} />;
  if (query.data.items.length === 0) return <p className={classes.none}>Nothing has all of these words.</p>;
  return (
    <ul className={classes.found} aria-label="Found">
      {query.data.items.map((f) => (
        <li key={`${f.path}#${f.anchor}`}>
          <Link to={docsPath(entityOf(of), f.path, of.rev)} hash={f.anchor}>
            <strong>{f.heading || f.title}</strong>
            {f.heading && f.heading !== f.title && <span> · {f.title}</span>}
          </Link>
          <p>{f.excerpt}</p>
        </li>
      ))}
    </ul>
  );
}

function Contents({ page }: { page: DocsPage }) {
  const shown = page.headings.filter((h) => h.level === 2 || h.level === 3);
  if (shown.length < 2) return null;
  return (
    <nav aria-label="On this page">
      <p className={classes.small}>On this page</p>
      <ul className={classes.items}>
        {shown.map((h) => (
          <li key={h.id} data-level={h.level}>
            <Link
              to="."
              search
              hash={h.id}
              hashScrollIntoView={false}
              activeOptions={{ exact: true, includeHash: true }}
            >
              {h.text}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Around({ of, site, page }: { of: DocsOf; site: DocsSite; page: DocsPage }) {
  return (
    <footer className={classes.around}>
      <div>
        {page.previous && (
          <Link to={docsPath(entityOf(of), page.previous.path, of.rev)} rel="prev">
            <small>Previous</small>
            {page.previous.title}
          </Link>
        )}
      </div>
      <div>
        {page.next && (
          <Link to={docsPath(entityOf(of), page.next.path, of.rev)} rel="next">
            <small>Next</small>
            {page.next.title}
          </Link>
        )}
      </div>
      <p>
        <Link to={page.source}>{page.file}</Link> of {site.repository} at {page.commit.slice(0, 8)}
      </p>
    </footer>
  );
}
