import {
  IconBook2,
  IconBoxMultiple,
  IconBraces,
  IconCirclePlus,
  IconDatabaseImport,
  IconFilePlus,
  IconGitBranch,
  IconGitPullRequest,
  IconHistory,
  IconHome,
  IconKey,
  IconLayersLinked,
  IconNotebook,
  IconPackage,
  IconPackageImport,
  IconPackages,
  IconPlayerPlay,
  IconPlugConnected,
  IconRadar,
  IconRocket,
  IconSearch,
  IconServer2,
  IconServerBolt,
  IconShieldCheck,
  IconStack2,
  IconTopologyStar3,
  IconTrophy,
  IconUserQuestion,
  type TablerIcon,
} from '@tabler/icons-react';

export interface PortalPage {
  to:
    | '/repositories'
    | '/proposals'
    | '/declare'
    | '/tokens'
    | '/integrations'
    | '/pools'
    | '/sources'
    | '/'
    | '/catalog'
    | '/create'
    | '/runs'
    | '/applications'
    | '/infrastructure'
    | '/contexts'
    | '/infrastructure/resources'
    | '/infrastructure/sets'
    | '/graph'
    | '/search'
    | '/gaps'
    | '/scorecards'
    | '/radars'
    | '/modules'
    | '/providers'
    | '/providers/mirror'
    | '/changes'
    | '/ledger'
    | '/policies'
    | '/docs';
  name: string;
  about: string;
  icon: TablerIcon;
  /** In the side bar only of those who administer; the palette knows it for all. */
  admin?: true;
}

/** The pages of the side bar, in its order. */
export const portalPages: PortalPage[] = [
  { to: '/', name: 'Home', about: 'What waits for you, and what happened', icon: IconHome },
  { to: '/catalog', name: 'Catalog', about: 'Everything that is declared', icon: IconLayersLinked },
  { to: '/create', name: 'Create', about: 'Start something from a golden path', icon: IconCirclePlus },
  { to: '/docs', name: 'Docs', about: 'What is written beside the code', icon: IconNotebook },
  { to: '/proposals', name: 'Proposals', about: 'Changes to look at before they are merged', icon: IconGitPullRequest },
  { to: '/runs', name: 'Runs', about: 'Everything the platform does', icon: IconPlayerPlay },
  { to: '/applications', name: 'Applications', about: 'What is deployed, and its health', icon: IconRocket },
  { to: '/infrastructure', name: 'Infrastructure', about: 'Stacks and their state', icon: IconServer2 },
  { to: '/modules', name: 'Modules', about: 'Terraform modules and their tested versions', icon: IconPackages },
  {
    to: '/scorecards',
    name: 'Scorecards',
    about: 'What is wanted of things, and how far they have come',
    icon: IconTrophy,
  },
  { to: '/policies', name: 'Policies', about: 'What is asked before something is done', icon: IconShieldCheck },
  { to: '/ledger', name: 'Ledger', about: 'Every change, by whom and why', icon: IconBook2 },
  { to: '/sources', name: 'Sources', about: 'Where the catalog comes from', icon: IconDatabaseImport },
  { to: '/integrations', name: 'Integrations', about: 'GitHub, GitLab, Gitea', icon: IconPlugConnected, admin: true },
  { to: '/pools', name: 'Pools', about: 'Machines of your own that run steps', icon: IconServerBolt, admin: true },
];

/** Pages that the palette knows besides. */
export const otherPages: PortalPage[] = [
  { to: '/contexts', name: 'Contexts', about: 'What the runs of many stacks are given', icon: IconBraces },
  { to: '/search', name: 'Search', about: 'Everything with some words, and filters', icon: IconSearch },
  {
    to: '/infrastructure/resources',
    name: 'Resources',
    about: 'What is under management, whose it is, and what changed it',
    icon: IconBoxMultiple,
  },
  {
    to: '/infrastructure/sets',
    name: 'Stack sets',
    about: 'A stack for each folder of a repository',
    icon: IconStack2,
  },
  { to: '/graph', name: 'Graph', about: 'What is related to what, impact and ownership', icon: IconTopologyStar3 },
  { to: '/radars', name: 'Technology radar', about: 'What the company takes up, tries and leaves', icon: IconRadar },
  { to: '/providers', name: 'Providers', about: 'Terraform providers and their signed versions', icon: IconPackage },
  {
    to: '/providers/mirror',
    name: 'Provider mirror',
    about: 'Packages of public providers that this server keeps',
    icon: IconPackageImport,
  },
  { to: '/gaps', name: 'Gaps', about: 'What has no owner, or one that nobody is', icon: IconUserQuestion },
  { to: '/changes', name: 'Changes', about: 'What differs in the catalog between two times', icon: IconHistory },
  { to: '/repositories', name: 'Repositories', about: 'Code that is hosted here', icon: IconGitBranch },
  { to: '/declare', name: 'Declare documents', about: 'Bring in components, users, policies', icon: IconFilePlus },
  { to: '/tokens', name: 'Tokens', about: 'What git, the command line and scripts sign in with', icon: IconKey },
];
