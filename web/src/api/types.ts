// The wire types of /api/v1, from the generated description.
import type { components } from './schema';

/**
 * A wire type as it is answered. The description lets every list be null, because Go's can be; the server answers
 * empty lists instead, and body() makes sure of it.
 */
export type Whole<T> = unknown extends T
  ? T
  : T extends (infer U)[]
    ? Whole<U>[]
    : T extends object
      ? { [K in keyof T]: Whole<Exclude<T[K], null>> }
      : T;

type Schemas = components['schemas'];

export type RunWait = Schemas['RunWait'];
export type ExternalDependency = Whole<Schemas['ExternalDependency']>;
export type QueuedRun = Whole<Schemas['QueuedRun']>;
export type PlanCost = Whole<Schemas['PlanCost']>;
export type MirroredProvider = Whole<Schemas['MirroredProvider']>;
export type StackSet = Whole<Schemas['StackSet']>;
export type StackSetTried = Whole<Schemas['StackSetTried']>;
export type StackSetFolder = Whole<Schemas['StackSetFolder']>;
export type Actor = Schemas['Actor'];
export type Me = Whole<Schemas['Me']>;
export type Entity = Whole<Schemas['Entity']>;
export type Relation = Schemas['Relation'];
export type EntityVersion = Whole<Schemas['EntityVersion']>;
export type EntityChange = Whole<Schemas['EntityChange']>;
export type EntityGraph = Whole<Schemas['EntityGraph']>;
export type EntityGraphNode = Whole<Schemas['GraphNode']>;
export type DocsSite = Whole<Schemas['Docs']>;
export type DocsItem = Whole<Schemas['DocsItem']>;
export type DocsPage = Whole<Schemas['DocsPage']>;
export type ApiDefinition = Whole<Schemas['Definition']>;
export type ApiOperation = Whole<Schemas['APIOperation']>;
export type ApiType = Whole<Schemas['APIType']>;
export type ApiField = Whole<Schemas['APIField']>;
export type Facet = Schemas['Facet'];
export type SetVariable = Whole<Schemas['SetVariable']>;
export type SetFile = Whole<Schemas['SetFile']>;
export type SetHook = Schemas['SetHook'];
export type Scorecard = Whole<Schemas['Scorecard']>;
export type ScorecardRule = Schemas['ScorecardRule'];
export type ScorecardDay = Whole<Schemas['ScorecardDay']>;
export type Standing = Whole<Schemas['Standing']>;
export type Severity = Schemas['Finding']['severity'];
export type StandingRule = Schemas['StandingRule'];
export type Radar = Whole<Schemas['Radar']>;
export type RadarEntry = Whole<Schemas['RadarEntry']>;
export type TerraformModule = Whole<Schemas['Module']>;
export type TerraformProvider = Whole<Schemas['Provider']>;
export type ModuleVersionDetail = Whole<Schemas['ModuleVersionDetail']>;
export type ModulePart = Whole<Schemas['ModulePart']>;
export type ModuleTest = Whole<Schemas['ModuleTest']>;
export type ProviderVersion = Whole<Schemas['ProviderVersion']>;
export type SearchHit = Whole<Schemas['SearchHit']>;
export type TextPiece = Schemas['TextPiece'];
export type View = Schemas['View'];
export type EntityEdit = Whole<Schemas['EntityEdit']>;
export type Edited = Whole<Schemas['Edited']>;
export type Run = Whole<Schemas['Run']>;
export type RunDetail = Whole<Schemas['RunDetail']>;
export type Step = Whole<Schemas['Step']>;
export type Review = Schemas['Review'];
export type Decision = Whole<Schemas['Decision']>;
export type Policy = Whole<Schemas['Policy']>;
export type PolicyDetail = Whole<Schemas['PolicyDetail']>;
export type PolicyTry = Whole<Schemas['PolicyTry']>;
export type ReplayChange = Whole<Schemas['ReplayChange']>;
export type GraphNode = Whole<Schemas['Node']>;
export type Plan = Whole<Schemas['Plan']>;
export type PlanChange = Whole<Schemas['PlanChange']>;
export type PlanSummary = Schemas['Summary'];
export type StackEngine = Schemas['StackEngine'];
export type Stack = Whole<Schemas['Stack']>;
export type StateVersion = Whole<Schemas['StateVersion']>;
export type StateChange = Whole<Schemas['StateChange']>;
export type Resource = Schemas['Resource'];
export type OutputValue = Schemas['Value'];
export type Application = Whole<Schemas['Application']>;
export type ApplicationDetail = Whole<Schemas['ApplicationDetail']>;
export type ClusterObject = Whole<Schemas['Object']>;
export type Revision = Schemas['Revision'];
export type ObjectChange = Whole<Schemas['ObjectChange']>;
export type LedgerEntry = Whole<Schemas['Entry']>;
export type Verification = Schemas['Verification'];
export type TemplateSchema = Whole<Schemas['TemplateSchema']>;
export type TemplatePage = Schemas['TemplatePage'];
export type Integration = Whole<Schemas['Integration']>;
export type Home = Whole<Schemas['Home']>;
export type LogChunk = Schemas['LogChunk'];
export type Token = Whole<Schemas['Token']>;
export type Proposal = ProposalLine;
export type ProposalLine = Whole<Schemas['ProposalLine']>;
export type ProposalDetail = Whole<Schemas['ProposalDetail']>;
export type ProposalComment = Whole<Schemas['ProposalComment']>;
export type ProposalReview = Schemas['ProposalReview'];
export type ProposalStack = Schemas['ProposalStack'];
export type Commit = Whole<Schemas['Commit']>;
export type Blocker = Schemas['Blocker'];
export type FileDiff = Schemas['FileDiff'];
export type Repository = Whole<Schemas['Repository']>;
export type Mirror = Whole<Schemas['Mirror']>;
export type TreeEntry = Schemas['TreeEntry'];
export type RepositoryFile = Schemas['File'];
export type CommitDetail = Whole<Schemas['CommitDetail']>;
export type Branch = Whole<Schemas['Branch']>;
export type Tag = Whole<Schemas['Tag']>;
export type BlameHunk = Schemas['BlameHunk'];
export type FoundFile = Whole<Schemas['FoundFile']>;
export type FoundLine = Schemas['FoundLine'];
