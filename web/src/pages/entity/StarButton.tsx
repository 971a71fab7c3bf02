import { ActionIcon } from '@mantine/core';
import { IconStar, IconStarFilled } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useStar } from '../../api/editing';
import { stars } from '../../api/queries';

/** Keeps an entity among those that the reader has starred. */
export function StarButton({ of }: { of: string }) {
  const starred = useQuery(stars).data;
  const star = useStar();
  const on = starred?.some((s) => s.ref === of) ?? false;
  return (
    <ActionIcon
      variant="subtle"
      color={on ? 'yellow' : 'gray'}
      aria-pressed={on}
      aria-label={`Star ${of}`}
      title={on ? 'Take the star' : 'Star'}
      disabled={!starred}
      onClick={() => star(of, !on)}
    >
      {on ? <IconStarFilled size={17} aria-hidden color="var(--wait)" /> : <IconStar size={17} aria-hidden />}
    </ActionIcon>
  );
}
