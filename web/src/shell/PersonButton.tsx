import { lazy, Suspense, useState } from 'react';
import type { Me } from '../api/types';
import classes from './Shell.module.css';

const PersonMenu = lazy(() => import('./PersonMenu'));

function initials(name: string): string {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  return `${words[0]?.[0] ?? '?'}${words.length > 1 ? (words.at(-1)?.[0] ?? '') : ''}`.toUpperCase();
}

/** Who is signed in; their menu is loaded when it is asked for first. */
export function PersonButton({ who }: { who: Me }) {
  const [asked, setAsked] = useState(false);
  const [opened, setOpened] = useState(false);
  const button = (
    <button
      type="button"
      className={classes.person}
      aria-label={`${who.name}: colours, sign out`}
      aria-haspopup="menu"
      onClick={() => {
        setAsked(true);
        setOpened(true);
      }}
    >
      {initials(who.name)}
    </button>
  );
  if (!asked) return button;
  return (
    <Suspense fallback={button}>
      <PersonMenu who={who} opened={opened} change={setOpened} label={initials(who.name)} />
    </Suspense>
  );
}
