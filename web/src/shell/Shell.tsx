import { AppShell, Burger, Skeleton } from '@mantine/core';
import { useDisclosure, useHotkeys, useLocalStorage } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Outlet } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { asProblem } from '../api/problem';
import { me } from '../api/queries';
import { useOtherWindows } from '../api/session';
import { Failure } from '../parts/Failure';
import { Crumbs } from './Crumbs';
import { LiveShell } from './LiveShell';
import { Navigation } from './Navigation';
import { PageSkeleton } from './PageSkeleton';
import { PersonButton } from './PersonButton';
import { SearchButton } from './SearchButton';
import classes from './Shell.module.css';

const Palette = lazy(() => import('./Palette'));
const SignIn = lazy(() => import('../pages/signin/SignIn'));

export function Shell() {
  const who = useQuery(me);
  useOtherWindows();
  const [drawer, { toggle, close }] = useDisclosure();
  const [narrow, setNarrow] = useLocalStorage({ key: 'roadbed-narrow', defaultValue: false });
  const [palette, setPalette] = useState(0);
  const search = () => setPalette((n) => n + 1);
  useHotkeys([['mod+K', search]], []);

  if (who.data === null || (who.isError && asProblem(who.error).status === 401)) {
    return (
      <Suspense>
        <SignIn />
      </Suspense>
    );
  }
  if (who.isLoadingError) {
    return (
      <main className={classes.alone}>
        <Failure error={who.error} retry={() => who.refetch()} />
      </main>
    );
  }
  return (
    <AppShell
      layout="alt"
      header={{ height: 48 }}
      navbar={{ width: narrow ? 56 : 208, breakpoint: 'sm', collapsed: { mobile: !drawer } }}
    >
      <a href="#content" className={classes.skip}>
        Skip to the content
      </a>
      <AppShell.Header className={classes.header}>
        <Burger opened={drawer} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Pages" aria-expanded={drawer} />
        <Crumbs />
        <SearchButton open={search} />
        {who.data ? <PersonButton who={who.data} /> : <Skeleton circle height={28} />}
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} aria-label="Pages">
        <Navigation narrow={narrow} toggle={() => setNarrow(!narrow)} close={close} drawer={drawer} />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1} className={classes.main}>
        {who.data ? (
          <LiveShell key={who.data.ref}>
            <Outlet />
          </LiveShell>
        ) : (
          <PageSkeleton />
        )}
      </AppShell.Main>
      {palette > 0 && (
        <Suspense>
          <Palette asked={palette} />
        </Suspense>
      )}
    </AppShell>
  );
}
