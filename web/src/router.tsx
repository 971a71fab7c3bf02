import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Broken, Lost } from './shell/Lost';
import { PageSkeleton } from './shell/PageSkeleton';
import { Shell } from './shell/Shell';
import { catalogWords, resourceWords, stackWords } from './words/addresses';

/** A word of an address; one that looks like a number, a truth or an object comes as such. */
const text = (value: unknown) => {
  if (value === undefined || value === null || value === '') return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};
/** The words of an address's query that a page reads, and no others. */
const search =
  <K extends string>(...names: K[]) =>
  (given: Record<string, unknown>) =>
    Object.fromEntries(names.map((name) => [name, text(given[name])])) as { [N in K]?: string };

const root = createRootRoute({ notFoundComponent: Lost, errorComponent: Broken });
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/signin',
  component: lazyRouteComponent(() => import('./pages/signin/SignIn')),
});
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
const parent = () => shell;

const home = createRoute({
  getParentRoute: parent,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/home/Home'), 'Home'),
});
const catalog = createRoute({
  getParentRoute: parent,
  path: '/catalog',
  validateSearch: search(...catalogWords),
  component: lazyRouteComponent(() => import('./pages/catalog/Catalog'), 'Catalog'),
});
const entity = createRoute({
  getParentRoute: parent,
  path: '/catalog/$kind/$namespace/$name',
  validateSearch: search('tab', 'asOf', 'since', 'until', 'actor'),
  component: lazyRouteComponent(() => import('./pages/entity/Entity'), 'EntityPage'),
});
const searching = createRoute({
  getParentRoute: parent,
  path: '/search',
  validateSearch: search('q', 'in', 'kind', 'type', 'owner', 'lifecycle', 'space'),
  component: lazyRouteComponent(() => import('./pages/search/Search'), 'SearchPage'),
});
const gaps = createRoute({
  getParentRoute: parent,
  path: '/gaps',
  validateSearch: search('gap', 'kind', 'space'),
  component: lazyRouteComponent(() => import('./pages/catalog/Gaps'), 'Gaps'),
});
const scorecards = createRoute({
  getParentRoute: parent,
  path: '/scorecards',
  component: lazyRouteComponent(() => import('./pages/scorecards/Scorecards'), 'Scorecards'),
});
const scorecard = createRoute({
  getParentRoute: parent,
  path: '/scorecards/$namespace/$name',
  validateSearch: search('team', 'level', 'failing'),
  component: lazyRouteComponent(() => import('./pages/scorecards/Scorecard'), 'ScorecardPage'),
});
const radars = createRoute({
  getParentRoute: parent,
  path: '/radars',
  component: lazyRouteComponent(() => import('./pages/radar/Radars'), 'Radars'),
});
const radar = createRoute({
  getParentRoute: parent,
  path: '/radars/$namespace/$name',
  validateSearch: search('entry'),
  component: lazyRouteComponent(() => import('./pages/radar/Radar'), 'RadarPage'),
});
const modules = createRoute({
  getParentRoute: parent,
  path: '/modules',
  component: lazyRouteComponent(() => import('./pages/modules/Modules'), 'Modules'),
});
const module = createRoute({
  getParentRoute: parent,
  path: '/modules/$namespace/$name',
  validateSearch: search('version'),
  component: lazyRouteComponent(() => import('./pages/modules/Module'), 'ModulePage'),
});
const providers = createRoute({
  getParentRoute: parent,
  path: '/providers',
  component: lazyRouteComponent(() => import('./pages/modules/Providers'), 'Providers'),
});
const provider = createRoute({
  getParentRoute: parent,
  path: '/providers/$namespace/$name',
  component: lazyRouteComponent(() => import('./pages/modules/Provider'), 'ProviderPage'),
});
const mirror = createRoute({
  getParentRoute: parent,
  path: '/providers/mirror',
  component: lazyRouteComponent(() => import('./pages/modules/Mirror'), 'Mirror'),
});
const graph = createRoute({
  getParentRoute: parent,
  path: '/graph',
  validateSearch: search(
    'root',
    'view',
    'depth',
    'direction',
    'kinds',
    'relations',
    'group',
    'ownership',
    'open',
    'at',
    'find',
    'look',
    'asOf',
  ),
  component: lazyRouteComponent(() => import('./pages/graph/GraphPage'), 'GraphPage'),
});
const changes = createRoute({
  getParentRoute: parent,
  path: '/changes',
  validateSearch: search('from', 'to', 'kind', 'owner', 'space'),
  component: lazyRouteComponent(() => import('./pages/changes/Changes'), 'ChangesPage'),
});
const create = createRoute({
  getParentRoute: parent,
  path: '/create',
  component: lazyRouteComponent(() => import('./pages/create/Create'), 'Create'),
});
const declare = createRoute({
  getParentRoute: parent,
  path: '/declare',
  component: lazyRouteComponent(() => import('./pages/declare/Declare'), 'Declare'),
});
const tokens = createRoute({
  getParentRoute: parent,
  path: '/tokens',
  component: lazyRouteComponent(() => import('./pages/tokens/Tokens'), 'Tokens'),
});
const template = createRoute({
  getParentRoute: parent,
  path: '/create/$namespace/$name',
  validateSearch: (given: Record<string, unknown>): { step?: number } => {
    const step = Number(given.step);
    return { step: Number.isInteger(step) && step > 0 ? step : undefined };
  },
  component: lazyRouteComponent(() => import('./pages/create/Template'), 'Template'),
});
const runs = createRoute({
  getParentRoute: parent,
  path: '/runs',
  validateSearch: search('kind', 'state', 'subject', 'show', 'repository', 'commit', 'actor'),
  component: lazyRouteComponent(() => import('./pages/runs/Runs'), 'Runs'),
});
const run = createRoute({
  getParentRoute: parent,
  path: '/runs/$id',
  validateSearch: search('tab', 'step', 'line', 'action', 'module', 'type', 'text'),
  component: lazyRouteComponent(() => import('./pages/run/Run'), 'RunPage'),
});
const applications = createRoute({
  getParentRoute: parent,
  path: '/applications',
  component: lazyRouteComponent(() => import('./pages/applications/Applications'), 'Applications'),
});
const application = createRoute({
  getParentRoute: parent,
  path: '/applications/$namespace/$name',
  validateSearch: search('tab', 'pod'),
  component: lazyRouteComponent(() => import('./pages/application/Application'), 'ApplicationPage'),
});
const stacks = createRoute({
  getParentRoute: parent,
  path: '/infrastructure',
  validateSearch: search(...stackWords),
  component: lazyRouteComponent(() => import('./pages/stacks/Stacks'), 'Stacks'),
});
const stack = createRoute({
  getParentRoute: parent,
  path: '/infrastructure/$namespace/$name',
  validateSearch: search('tab', 'from', 'to', 'action', 'text'),
  component: lazyRouteComponent(() => import('./pages/stack/Stack'), 'StackPage'),
});
const stackSets = createRoute({
  getParentRoute: parent,
  path: '/infrastructure/sets',
  component: lazyRouteComponent(() => import('./pages/stacksets/StackSets'), 'StackSets'),
});
const stackSet = createRoute({
  getParentRoute: parent,
  path: '/infrastructure/sets/$namespace/$name',
  validateSearch: search('tab', 'standing', 'text'),
  component: lazyRouteComponent(() => import('./pages/stacksets/StackSet'), 'StackSetPage'),
});
const contexts = createRoute({
  getParentRoute: parent,
  path: '/contexts',
  component: lazyRouteComponent(() => import('./pages/contexts/Contexts'), 'Contexts'),
});
const context = createRoute({
  getParentRoute: parent,
  path: '/contexts/$namespace/$name',
  component: lazyRouteComponent(() => import('./pages/contexts/ContextPage'), 'ContextPage'),
});
const resources = createRoute({
  getParentRoute: parent,
  path: '/infrastructure/resources',
  validateSearch: search(...resourceWords),
  component: lazyRouteComponent(() => import('./pages/resources/Resources'), 'Resources'),
});
const repositories = createRoute({
  getParentRoute: parent,
  path: '/repositories',
  validateSearch: search('text', 'space', 'archived', 'sort', 'creator'),
  component: lazyRouteComponent(() => import('./pages/repositories/Repositories'), 'Repositories'),
});
const repository = createRoute({
  getParentRoute: parent,
  path: '/repositories/$namespace/$name',
  validateSearch: search(
    ...([
      'tab',
      'ref',
      'path',
      'look',
      'commit',
      'base',
      'head',
      'text',
      'in',
      'regex',
      'case',
      'author',
      'show',
    ] as const),
  ),
  component: lazyRouteComponent(() => import('./pages/repository/Repository'), 'RepositoryPage'),
});
const proposals = createRoute({
  getParentRoute: parent,
  path: '/proposals',
  validateSearch: search('state', 'show', 'text', 'draft', 'repository'),
  component: lazyRouteComponent(() => import('./pages/proposals/Proposals'), 'Proposals'),
});
const proposal = createRoute({
  getParentRoute: parent,
  path: '/repositories/$namespace/$name/proposals/$number',
  validateSearch: search('tab', 'look', 'file', 'line', 'since', 'space'),
  component: lazyRouteComponent(() => import('./pages/proposal/Proposal'), 'ProposalPage'),
});
const propose = createRoute({
  getParentRoute: parent,
  path: '/repositories/$namespace/$name/propose',
  validateSearch: search('source'),
  component: lazyRouteComponent(() => import('./pages/proposal/Propose'), 'Propose'),
});
const ledger = createRoute({
  getParentRoute: parent,
  path: '/ledger',
  validateSearch: search('ref', 'type', 'run', 'actor'),
  component: lazyRouteComponent(() => import('./pages/ledger/Ledger'), 'Ledger'),
});

const policies = createRoute({
  getParentRoute: parent,
  path: '/policies',
  validateSearch: search('point', 'space'),
  component: lazyRouteComponent(() => import('./pages/policies/Policies'), 'Policies'),
});
const policy = createRoute({
  getParentRoute: parent,
  path: '/policies/$namespace/$name',
  validateSearch: search('decision'),
  component: lazyRouteComponent(() => import('./pages/policies/Policy'), 'PolicyPage'),
});
const decision = createRoute({
  getParentRoute: parent,
  path: '/decisions/$id',
  component: lazyRouteComponent(() => import('./pages/policies/Decision'), 'DecisionPage'),
});
const integrations = createRoute({
  getParentRoute: parent,
  path: '/integrations',
  component: lazyRouteComponent(() => import('./pages/integrations/Integrations'), 'Integrations'),
});
const integrationDeliveries = createRoute({
  getParentRoute: parent,
  path: '/integrations/$namespace/$name/deliveries',
  validateSearch: search('state', 'kind', 'delivery'),
  component: lazyRouteComponent(() => import('./pages/integrations/Deliveries'), 'Deliveries'),
});
const integration = createRoute({
  getParentRoute: parent,
  path: '/integrations/$namespace/$name',
  component: lazyRouteComponent(() => import('./pages/integrations/Integration'), 'IntegrationPage'),
});
const pools = createRoute({
  getParentRoute: parent,
  path: '/pools',
  component: lazyRouteComponent(() => import('./pages/pools/Pools'), 'Pools'),
});
const pool = createRoute({
  getParentRoute: parent,
  path: '/pools/$namespace/$name',
  component: lazyRouteComponent(() => import('./pages/pools/Pool'), 'PoolPage'),
});
const connect = createRoute({
  getParentRoute: parent,
  path: '/integrations/connect',
  component: lazyRouteComponent(() => import('./pages/integrations/Connect'), 'Connect'),
});

const sources = createRoute({
  getParentRoute: parent,
  path: '/sources',
  validateSearch: search('text', 'failed', 'register'),
  component: lazyRouteComponent(() => import('./pages/sources/Sources'), 'Sources'),
});
const discovery = createRoute({
  getParentRoute: parent,
  path: '/sources/discoveries/$namespace/$name',
  validateSearch: search('state'),
  component: lazyRouteComponent(() => import('./pages/sources/Discovery'), 'DiscoveryPage'),
});
const location = createRoute({
  getParentRoute: parent,
  path: '/sources/locations/$id',
  component: lazyRouteComponent(() => import('./pages/sources/Location'), 'LocationPage'),
});
const directory = createRoute({
  getParentRoute: parent,
  path: '/sources/directories/$namespace/$name',
  component: lazyRouteComponent(() => import('./pages/sources/Directory'), 'DirectoryPage'),
});
const pushed = createRoute({
  getParentRoute: parent,
  path: '/sources/pushed/$name',
  component: lazyRouteComponent(() => import('./pages/sources/Pushed'), 'PushedPage'),
});

const docs = createRoute({
  getParentRoute: parent,
  path: '/docs',
  validateSearch: search('text', 'broken'),
  component: lazyRouteComponent(() => import('./pages/docs/Docs'), 'Docs'),
});
// The address of a page is Backstage's, so that links that people have lead here.
const reader = createRoute({
  getParentRoute: parent,
  path: '/docs/$namespace/$kind/$name/$',
  validateSearch: search('ref', 'look'),
  component: lazyRouteComponent(() => import('./pages/docs/Reader'), 'Reader'),
});

const lost = createRoute({ getParentRoute: parent, path: '$', component: Lost });

const pages = [
  lost,
  home,
  catalog,
  entity,
  searching,
  gaps,
  scorecards,
  scorecard,
  radars,
  radar,
  modules,
  module,
  providers,
  provider,
  mirror,
  graph,
  changes,
  create,
  declare,
  tokens,
  template,
  runs,
  run,
  applications,
  application,
  stacks,
  stack,
  stackSets,
  stackSet,
  contexts,
  context,
  resources,
  repositories,
  repository,
  proposals,
  proposal,
  propose,
  ledger,
  policies,
  policy,
  decision,
  integrations,
  integration,
  integrationDeliveries,
  connect,
  pools,
  pool,
  sources,
  discovery,
  directory,
  location,
  pushed,
  docs,
  reader,
];
const tree = root.addChildren([signIn, shell.addChildren(pages)]);

export function createPortal() {
  return createRouter({
    routeTree: tree,
    defaultPreload: 'intent',
    defaultPendingComponent: PageSkeleton,
    defaultPendingMs: 150,
    defaultErrorComponent: Broken,
    defaultNotFoundComponent: Lost,
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createPortal>;
  }
}
