import { useMantineColorScheme } from '@mantine/core';
import { useLocation, useRouter } from '@tanstack/react-router';
import { type MouseEvent, memo, useEffect, useRef } from 'react';
import classes from './article.module.css';
import { colour } from './colour';
import { diagrams } from './diagrams';
import { enliven } from './enliven';
import { anchored, inPortal } from './place';

const Text = memo(({ html }: { html: string }) => (
  // The server holds it to an allowlist: no scripts, no styles, no addresses but of the web.
  // biome-ignore lint/security/noDangerouslySetInnerHtml: it is what the server rendered
  <div dangerouslySetInnerHTML={{ __html: html }} />
));

/** A page as the server rendered it, with what needs a browser: tabs, copying and colours of code, diagrams, links without a reload. */
export function Article({ html, mermaid }: { html: string; mermaid?: boolean }) {
  const router = useRouter();
  const { hash, pathname } = useLocation();
  const { colorScheme } = useMantineColorScheme();
  const root = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the page is another when its text is
  useEffect(() => {
    if (!root.current) return;
    enliven(root.current);
    let ended = false;
    colour(root.current, () => ended).catch(() => {}); // without colours a page is read as well
    return () => {
      ended = true;
    };
  }, [html]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the diagrams are others when the text is
  useEffect(() => {
    if (!mermaid || !root.current) return;
    const dark = document.documentElement.dataset.mantineColorScheme === 'dark';
    let ended = false;
    void diagrams(root.current, dark, () => ended);
    return () => {
      ended = true;
    };
  }, [html, mermaid, colorScheme]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a link to where the page is already scrolls there too
  useEffect(() => {
    if (hash && root.current) anchored(root.current, decodeURIComponent(hash))?.scrollIntoView();
  }, [hash, html, pathname]);
  const follow = (e: MouseEvent) => {
    const link = (e.target as HTMLElement).closest('a');
    const href = link?.getAttribute('href');
    if (!href || e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const to = href.startsWith('#') ? `${window.location.pathname}${window.location.search}${href}` : inPortal(href);
    if (!to) return;
    e.preventDefault();
    if (to === `${window.location.pathname}${window.location.search}${window.location.hash}`) {
      if (root.current) anchored(root.current, decodeURIComponent(href.slice(1)))?.scrollIntoView();
      return;
    }
    router.history.push(to);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the links within are what is pressed
    // biome-ignore lint/a11y/useKeyWithClickEvents: links turn the key into a click
    <div ref={root} className={classes.text} onClick={follow}>
      <Text html={html} />
    </div>
  );
}
