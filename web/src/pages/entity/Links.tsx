import { Text } from '@mantine/core';
import {
  IconAlertTriangle,
  IconBook2,
  IconBrandGithub,
  IconCode,
  IconExternalLink,
  IconGauge,
  IconHelpCircle,
  IconLink,
  IconMail,
  IconMessage,
  IconUser,
  IconUsersGroup,
  type TablerIcon,
} from '@tabler/icons-react';
import type { Entity } from '../../api/types';
import { Section } from '../../parts/Page';
import { plain } from '../../words/ref';
import classes from './entity.module.css';
import { Outward } from './Outward';
import { type EntityLink, linksOf, outward, titleOf } from './written';

/** Backstage's names of icons. */
const icons: Record<string, TablerIcon> = {
  alert: IconAlertTriangle,
  chat: IconMessage,
  code: IconCode,
  dashboard: IconGauge,
  docs: IconBook2,
  email: IconMail,
  github: IconBrandGithub,
  group: IconUsersGroup,
  help: IconHelpCircle,
  mail: IconMail,
  user: IconUser,
};

function iconOf({ icon = '', url }: EntityLink): TablerIcon {
  const usual = outward(url) ? IconExternalLink : IconLink;
  return icons[icon.toLowerCase()] ?? (/^mailto:/i.test(url) ? IconMail : usual);
}

/** Where else to look, as somebody wrote it down. */
export function Links({ entity }: { entity: Entity }) {
  const groups = linksOf(entity);
  if (groups.length === 0) return null;
  return (
    <Section title="Links">
      {groups.map(({ type, links }) => (
        <div key={type ?? ''} className={classes.group}>
          {type && <h3>{plain(type)}</h3>}
          <ul className={classes.links}>
            {links.map((link, i) => {
              const Icon = iconOf(link);
              return (
                // biome-ignore lint/suspicious/noArrayIndexKey: the same link may be there twice
                <li key={i}>
                  <Icon size={16} aria-hidden />
                  <span>
                    <Outward to={link.url}>{titleOf(link)}</Outward>
                    {link.title && !outward(link.url) && (
                      <Text span display="block" size="xs" c="dimmed">
                        {link.url}
                      </Text>
                    )}
                  </span>
                </li>
              );
            })}
          </ul>
        </div>
      ))}
    </Section>
  );
}
