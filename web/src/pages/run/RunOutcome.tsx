import { Anchor, Code, Group, Stack, Text } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { RunDetail } from '../../api/types';
import { Section } from '../../parts/Page';
import { refPath } from '../../words/ref';
import { hostedPath, outcomeOf } from './outcome';

/** What a golden path's run led to: its links, texts, and the things it made. */
export function RunOutcome({ run }: { run: RunDetail }) {
  const { links, texts, made } = outcomeOf(run.output);
  if (links.length + texts.length + made.length === 0) return null;
  return (
    <Section title="Outcome">
      <Stack gap="sm">
        {links.length > 0 && (
          <Group gap="lg">
            {links.map((link) => {
              const path = link.entityRef
                ? refPath(link.entityRef)
                : hostedPath(link.url ?? '', window.location.origin);
              return path ? (
                <Anchor key={link.title} component={Link} to={path} size="sm" fw={500}>
                  {link.title}
                </Anchor>
              ) : (
                <Anchor key={link.title} href={link.url} size="sm" fw={500}>
                  {link.title} <IconExternalLink size={13} aria-hidden />
                </Anchor>
              );
            })}
          </Group>
        )}
        {texts.map((text) => (
          <div key={text.title}>
            <Text size="sm" fw={600}>
              {text.title}
            </Text>
            <Words content={text.content} />
          </div>
        ))}
        {made.length > 0 && (
          <Text size="sm" c="dimmed">
            Made: {made.map((m) => `${m.kind} ${m.name}${m.state === 'undone' ? ' (undone)' : ''}`).join(', ')}
          </Text>
        )}
      </Stack>
    </Section>
  );
}

/** Paragraphs with `code` in them. */
function Words({ content }: { content: string }) {
  return content.split(/\n\s*\n/).map((paragraph) => (
    <Text key={paragraph} size="sm" mt={4} style={{ overflowWrap: 'anywhere' }}>
      {paragraph.split(/(`[^`]+`)/).map((part, i) =>
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of a text never move
        part.startsWith('`') ? <Code key={i}>{part.slice(1, -1)}</Code> : part,
      )}
    </Text>
  ));
}
