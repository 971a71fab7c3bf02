import {
  IconBoxMultiple,
  IconBraces,
  IconFilePlus,
  IconGitBranch,
  IconHistory,
  IconKey,
  IconPackage,
  IconPackageImport,
  IconRadar,
  IconSearch,
  IconStack2,
  IconTopologyStar3,
  IconUserQuestion,
} from '@tabler/icons-react';
import { otherNames, type PortalPage } from './pages';

const more: Omit<PortalPage, 'name'>[] = [
  { to: '/contexts', about: 'What the runs of many stacks are given', icon: IconBraces },
  { to: '/search', about: 'Everything with some words, and filters', icon: IconSearch },
  {
    to: '/infrastructure/resources',
    about: 'What is under management, whose it is, and what changed it',
    icon: IconBoxMultiple,
  },
  { to: '/infrastructure/sets', about: 'A stack for each folder of a repository', icon: IconStack2 },
  { to: '/graph', about: 'What is related to what, impact and ownership', icon: IconTopologyStar3 },
  { to: '/radars', about: 'What the company takes up, tries and leaves', icon: IconRadar },
  { to: '/providers', about: 'Terraform providers and their signed versions', icon: IconPackage },
  { to: '/providers/mirror', about: 'Packages of public providers that this server keeps', icon: IconPackageImport },
  { to: '/gaps', about: 'What has no owner, or one that nobody is', icon: IconUserQuestion },
  { to: '/changes', about: 'What differs in the catalog between two times', icon: IconHistory },
  { to: '/repositories', about: 'Code that is hosted here', icon: IconGitBranch },
  { to: '/declare', about: 'Bring in components, users, policies', icon: IconFilePlus },
  { to: '/tokens', about: 'What git, the command line and scripts sign in with', icon: IconKey },
];

/** Pages that the palette knows besides those of the side bar. */
export const otherPages: PortalPage[] = more.map((p) => ({ ...p, name: otherNames[p.to] ?? '' }));
