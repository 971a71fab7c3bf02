import { Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import classes from './Page.module.css';
import { type Asked, Stale } from './Stale';

interface Props {
  title: string;
  /** Beside the title: states, kinds. */
  marks?: ReactNode;
  /** Below the title: one line of facts. */
  about?: ReactNode;
  actions?: ReactNode;
  /** What it shows; when that can't be renewed, the page says so above it. */
  query?: Asked;
  children: ReactNode;
}

export function Page({ title, marks, about, actions, query, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Roadbed`;
  }, [title]);
  return (
    <div className={classes.page}>
      <header className={classes.header}>
        <div className={classes.heading}>
          <Group gap="sm" wrap="wrap">
            <Title order={1}>{title}</Title>
            {marks}
          </Group>
          {about && <div className={classes.about}>{about}</div>}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </header>
      <Stack gap="lg">
        {query && <Stale query={query} />}
        {children}
      </Stack>
    </div>
  );
}

interface SectionProps {
  title?: string;
  actions?: ReactNode;
  children: ReactNode;
  /** Its content brings its own space, as tables do. */
  flush?: boolean;
}

export function Section({ title, actions, children, flush }: SectionProps) {
  return (
    <section className={classes.section} aria-label={title}>
      {title && (
        <div className={classes.sectionHeader}>
          <Title order={2}>{title}</Title>
          {actions}
        </div>
      )}
      <div className={flush ? classes.flush : classes.content}>{children}</div>
    </section>
  );
}

/** Nothing is there yet, and what to do next. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={classes.empty}>
      <Text fw={600}>{title}</Text>
      {children && (
        <Text size="sm" c="dimmed" maw={520}>
          {children}
        </Text>
      )}
      {action}
    </div>
  );
}

export function Rows({ count = 6 }: { count?: number }) {
  return (
    <Stack gap="sm" p="md" role="status" aria-label="Loading">
      {Array.from({ length: count }, (_, i) => `row-${i}`).map((key, i) => (
        <Skeleton key={key} height={18} width={`${92 - ((i * 17) % 40)}%`} />
      ))}
    </Stack>
  );
}

/** Facts as name and value. */
export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {items
        .filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
