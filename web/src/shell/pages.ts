import {
  IconBook2,
  IconCirclePlus,
  IconDatabaseImport,
  IconGitPullRequest,
  IconHome,
  IconLayersLinked,
  IconNotebook,
  IconPackages,
  IconPlayerPlay,
  IconPlugConnected,
  IconRocket,
  IconServer2,
  IconServerBolt,
  IconShieldCheck,
  IconTrophy,
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

/** Pages that are reached from others, by what they are called; what the palette tells of them is in otherPages.ts. */
export const otherNames: { [To in PortalPage['to']]?: string } = {
  '/contexts': 'Contexts',
  '/search': 'Search',
  '/infrastructure/resources': 'Resources',
  '/infrastructure/sets': 'Stack sets',
  '/graph': 'Graph',
  '/radars': 'Technology radar',
  '/providers': 'Providers',
  '/providers/mirror': 'Provider mirror',
  '/gaps': 'Gaps',
  '/changes': 'Changes',
  '/repositories': 'Repositories',
  '/declare': 'Declare documents',
  '/tokens': 'Tokens',
};
