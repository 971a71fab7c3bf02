import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { facet } from '../../api/queries';
import type { Entity } from '../../api/types';
import { Facts, Section } from '../../parts/Page';
import classes from './entity.module.css';
import { missingOf, targets } from './linked';
import { Outward } from './Outward';
import { Refs } from './Related';
import { isMap, specOf } from './written';

/** Pictures that come with the document; the browser is not sent elsewhere for one. */
const picture = /^data:image\/(png|jpeg|gif|webp|avif);base64,/;

/** Who a user is and where they belong, or what a group is and who is in it. */
export function People({ entity }: { entity: Entity }) {
  if (entity.kind !== 'User' && entity.kind !== 'Group') return null;
  const { profile } = specOf(entity);
  const missing = missingOf(entity);
  const said = (name: string) => (isMap(profile) && typeof profile[name] === 'string' ? profile[name] : '');
  const refs = (type: string, most?: number): ReactNode => {
    const all = targets(entity.relations, type);
    return all.length > 0 && <Refs refs={all} most={most} missing={missing} />;
  };
  const email = said('email');
  const members = targets(entity.relations, 'hasMember').length;
  return (
    <Section title="Profile">
      {picture.test(said('picture')) && <img className={classes.picture} src={said('picture')} alt="" />}
      <Facts
        items={[
          ['Name', said('displayName')],
          ['Email', email && <Outward to={`mailto:${email}`}>{email}</Outward>],
          ...(entity.kind === 'User'
            ? ([['Member of', refs('memberOf') || 'no group']] as [string, ReactNode][])
            : ([
                ['Parent', refs('childOf')],
                ['Children', refs('parentOf')],
                [
                  members > 1
                    ? `Members (${entity.cut ? 'more than ' : ''}${members.toLocaleString('en')})`
                    : 'Members',
                  refs('hasMember', 36) || 'nobody',
                ],
              ] as [string, ReactNode][])),
          ['Owns', targets(entity.relations, 'ownerOf').length > 0 && <Owned key="owned" owner={entity.ref} />],
          [
            'With the groups below',
            entity.kind === 'Group' && targets(entity.relations, 'parentOf').length > 0 && (
              <Owned key="below" owner={entity.ref} below />
            ),
          ],
        ]}
      />
    </Section>
  );
}

/** How much somebody owns, of which an entity has not all relations, and of which kinds. */
function Owned({ owner, below }: { owner: string; below?: boolean }) {
  const kinds = useQuery(facet('kind', { owner, below })).data?.items;
  const total = kinds?.reduce((sum, k) => sum + k.count, 0);
  const search = { owner, below: below ? 'true' : undefined };
  return (
    <span className={`${classes.many} ${classes.wide}`}>
      <Anchor size="sm" renderRoot={(props) => <Link to="/catalog" search={search} {...props} />}>
        {total === undefined ? 'entities' : `${total.toLocaleString('en')} ${total === 1 ? 'entity' : 'entities'}`}
      </Anchor>
      {(kinds ?? []).map(({ value, count }) => (
        <Anchor
          key={value}
          size="sm"
          renderRoot={(props) => <Link to="/catalog" search={{ ...search, kind: value }} {...props} />}
        >
          {count.toLocaleString('en')} {value}
        </Anchor>
      ))}
    </span>
  );
}
