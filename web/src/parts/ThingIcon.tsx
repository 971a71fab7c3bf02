import { IconApi, IconBox, IconNotebook, IconPlayerPlay, IconUser, IconUsersGroup } from '@tabler/icons-react';
import type { SearchHit } from '../api/types';

/** A picture of what was found; the words beside it say the same. */
export function ThingIcon({ of, size = 18 }: { of: SearchHit; size?: number }) {
  const icons = { apis: IconApi, docs: IconNotebook, runs: IconPlayerPlay, entities: IconBox };
  const people = { group: IconUsersGroup, user: IconUser };
  const Icon = people[(of.kind ?? '').toLowerCase() as keyof typeof people] ?? icons[of.in];
  return <Icon size={size} aria-hidden />;
}
