import { Link, useLocation } from '@tanstack/react-router';
import { docsPath } from '../pages/docs/place';
import { shortRef } from '../words/ref';
import { otherNames, type PortalPage, portalPages } from './pages';
import classes from './Shell.module.css';

type Named = Pick<PortalPage, 'to' | 'name'>;

/** A page by its address, as far as it has a name. */
function named(address: string): Named | undefined {
  const name = otherNames[address as Named['to']];
  return name ? { to: address as Named['to'], name } : portalPages.find((p) => p.to === address);
}

/** A page below a section that has a name of its own, such as the resources of the infrastructure. */
function below(section: string, rest: string[]): Named | undefined {
  return rest.length > 0 ? named(`/${section}/${rest[0]}`) : undefined;
}

/** The last part of an address as people call it. */
export function leaf(section: string, rest: string[]): string | undefined {
  if (rest.length === 0) return undefined;
  if (section === 'catalog' && rest.length === 3) return shortRef(`${rest[0]}:${rest[1]}/${rest[2]}`);
  if (section === 'docs' && rest.length > 3) return rest.slice(3).join(' / ');
  if (section === 'docs' && rest.length === 3) return shortRef(`${rest[1]}:${rest[0]}/${rest[2]}`);
  const part = below(section, rest);
  if (part && rest.length === 1) return part.name;
  if (part) return leaf(section, rest.slice(1));
  if (rest.length === 2) return shortRef(`${section}:${rest[0]}/${rest[1]}`);
  return rest.length === 1 ? shortRef(rest[0] ?? '') : rest.join('/');
}

export function Crumbs() {
  const [section = '', ...rest] = useLocation().pathname.split('/').filter(Boolean).map(decodeURIComponent);
  const page = named(`/${section}`);
  const [namespace = '', name = ''] = rest;
  const part = below(section, rest);
  const repository = section === 'repositories' && rest.length > 2 ? `${namespace}/${name}` : undefined;
  const last = repository ? (rest[2] === 'proposals' ? `#${rest[3]}` : rest[2]) : leaf(section, rest);
  return (
    <nav aria-label="Breadcrumb" style={{ flex: 1, minWidth: 0 }}>
      <ol className={classes.crumbs}>
        {page && <li>{last ? <Link to={page.to}>{page.name}</Link> : <span aria-current="page">{page.name}</span>}</li>}
        {section === 'catalog' && rest[0] && (
          <li>
            <Link to="/catalog" search={{ kind: rest[0] }}>
              {rest[0]}
            </Link>
          </li>
        )}
        {part && rest.length > 1 && (
          <li>
            <Link to={part.to}>{part.name}</Link>
          </li>
        )}
        {section === 'docs' && rest.length > 3 && (
          <li>
            <Link to={docsPath(`${rest[1]}:${rest[0]}/${rest[2]}`)}>
              {shortRef(`${rest[1]}:${rest[0]}/${rest[2]}`)}
            </Link>
          </li>
        )}
        {repository && (
          <li>
            <Link to="/repositories/$namespace/$name" params={{ namespace, name }} search={{ tab: 'proposals' }}>
              {repository}
            </Link>
          </li>
        )}
        {last && (
          <li>
            <span aria-current="page">{last}</span>
          </li>
        )}
      </ol>
    </nav>
  );
}
