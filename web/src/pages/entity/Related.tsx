import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Entity } from '../../api/types';
import { Facts, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { plain } from '../../words/ref';
import classes from './entity.module.css';
import { missingOf, related } from './linked';

const shown = 12;
/** As many as need a row of their own. */
const several = 4;

interface RefsProps {
  refs: string[];
  most?: number;
  missing?: Set<string>;
  /** Their kinds stand with them. */
  kind?: boolean;
}

/** Several entities; where they are more than fit, the rest is among the relations. */
export function Refs({ refs, most = shown, missing, kind }: RefsProps) {
  const first = refs.length > most + 1 ? refs.slice(0, most) : refs;
  return (
    <span className={`${classes.many} ${refs.length > several ? classes.wide : ''}`}>
      {first.map((ref) => (
        <RefLink key={ref} to={ref} kind={kind} missing={missing?.has(ref)} />
      ))}
      {first.length < refs.length && (
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link
              from="/catalog/$kind/$namespace/$name"
              to="."
              search={(s) => ({ ...s, tab: 'relations' })}
              {...props}
            />
          )}
        >
          {(refs.length - first.length).toLocaleString('en')} more
        </Anchor>
      )}
    </span>
  );
}

/** What an entity has to do with others, by kind of relation. */
export function Related({ entity }: { entity: Entity }) {
  const types = related(entity);
  if (types.length === 0) return null;
  const missing = missingOf(entity);
  return (
    <Section title="Related">
      <Facts
        items={types.map(([type, refs]) => [capital(plain(type)), <Refs key={type} refs={refs} missing={missing} />])}
      />
    </Section>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
