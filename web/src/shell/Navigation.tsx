import { Burger } from '@mantine/core';
import { IconLayoutSidebarLeftCollapse, IconLayoutSidebarLeftExpand } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { me } from '../api/queries';
import { portalPages } from './pages';
import classes from './Shell.module.css';

interface Props {
  narrow: boolean;
  toggle: () => void;
  close: () => void;
  drawer: boolean;
}

export function Navigation({ narrow: folded, toggle, close, drawer }: Props) {
  const narrow = folded && !drawer;
  const administers = useQuery(me).data?.admin ?? false;
  return (
    <>
      <div style={{ display: 'flex', alignItems: 'center', justifyContent: 'space-between' }}>
        <Link
          to="/"
          className={classes.brand}
          data-narrow={narrow || undefined}
          onClick={close}
          aria-label="Roadbed, home"
        >
          <img src="/icon.svg" width={24} height={24} alt="" />
          {!narrow && 'Roadbed'}
        </Link>
        <Burger opened={drawer} onClick={close} hiddenFrom="sm" size="sm" mr="sm" aria-label="Close the pages" />
      </div>
      <div className={classes.links}>
        {portalPages
          .filter((p) => administers || !p.admin)
          .map(({ to, name, icon: Icon }) => (
            <Link
              key={to}
              title={narrow ? name : undefined}
              to={to}
              className={classes.link}
              activeOptions={{ exact: to === '/', includeSearch: false }}
              onClick={close}
              aria-label={name}
            >
              <Icon size={18} stroke={1.7} aria-hidden style={{ flexShrink: 0 }} />
              {!narrow && name}
            </Link>
          ))}
      </div>
      {!drawer && (
        <div className={classes.fold}>
          <button
            type="button"
            className={classes.link}
            onClick={toggle}
            aria-label={narrow ? 'Widen the side bar' : 'Fold the side bar'}
          >
            {narrow ? (
              <IconLayoutSidebarLeftExpand size={18} stroke={1.7} aria-hidden />
            ) : (
              <>
                <IconLayoutSidebarLeftCollapse size={18} stroke={1.7} aria-hidden /> Fold
              </>
            )}
          </button>
        </div>
      )}
    </>
  );
}
