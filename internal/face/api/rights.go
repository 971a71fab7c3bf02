package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// rights tells what each operation needs, for the document that describes the API: a right in the space of the thing, unless it says
// otherwise. The services ask for it; what may not be seen is answered as if it were not there.
func rights() map[string]string {
	return map[string]string{
		"signIn": "none; the code is the proof", "signOut": "none; it ends the caller's own session", "whoami": "none", "getStatus": "none",
		"createSignInLink":  "none for oneself, with a token that has no scopes; space:admin in the root space for others",
		"signOutEverywhere": "none for oneself; space:admin in the root space for others",
		"listTokens":        "none for one's own; space:admin in the root space for others', in its space for a machine's",
		"createToken":       "none for oneself; space:admin in the root space for others, in its space for a machine. It reaches no further and lasts no longer than the token it is made with",
		"revokeToken":       "none for one's own; space:admin in the root space for others', in its space for a machine's",
		"listMachines":      "space:read in the machine's space; others are left out", "createMachine": "space:admin", "deleteMachine": "space:admin",
		"listOIDCKeys": "space:admin in the root space", "rotateOIDCKey": "space:admin in the root space",

		"listEntities": "entity:read; others are left out", "listFacets": "entity:read; others are not counted", "listKinds": "none",
		"getEntity": "entity:read", "listEntityHistory": "entity:read",
		"listChanges": "entity:read, today, in the spaces that versions had; others are left out", "getEntityGraph": "entity:read; others are left out", "getOwners": "entity:read",
		"listStars": "none; the caller's own", "star": "entity:read", "unstar": "none; the caller's own",
		"listViews": "none for one's own; entity:read in the space that one is shared with", "saveView": "none for one's own; entity:write in the space that it is shared with",
		"updateView": "none for one's own; entity:write in the space that it is shared with", "deleteView": "none for one's own; entity:write in the space that it is shared with",
		"editEntities":  "entity:read; repository:write for what files of repositories declare, entity:write for what was applied, and for restricted kinds what they take",
		"deleteEntity":  "entity:delete, and for a restricted kind space:admin, or the right that it has for itself",
		"apply":         "entity:write, for restricted kinds space:admin or the right that a kind has for itself (integration:admin), entity:delete to prune",
		"listLocations": "entity:read; others are left out", "getLocation": "entity:read",
		"suggestEntity":   "repository:read",
		"addLocation":     "location:write, and repository:read for the repository",
		"removeLocation":  "location:write, and entity:delete for what came from it",
		"refreshLocation": "location:write", "trustLocation": "space:admin", "ruleLocation": "space:admin",
		"getLocationRules": "entity:read", "setLocationRules": "space:admin",
		"listSources": "entity:read; others are left out", "getSource": "entity:read", "deleteSource": "source:push and entity:delete",
		"replaceSourceEntities": "source:push, and for restricted kinds the right that they take", "updateSourceEntities": "source:push, and for restricted kinds the right that they take",
		"listDiscoveries": "entity:read; others are left out", "getDiscovery": "entity:read", "listDiscovered": "location:write", "lookAtDiscovery": "location:write",
		"previewDiscovery": "space:admin in the space that it would be applied to",

		"listRepositories": "repository:read; others are left out", "createRepository": "repository:create; secret:write for an import by secret", "getRepository": "repository:read",
		"deleteRepository": "repository:admin, or repository:create for who made it; for good only repository:admin",
		"retryImport":      "repository:admin, or repository:create for who made it; secret:write for another secret", "cancelImport": "repository:admin, or repository:create for who made it",
		"listMirrors": "repository:admin", "addMirror": "repository:admin; secret:write for a secret, integration:use for an integration", "removeMirror": "repository:admin", "pushMirror": "repository:admin",
		"restoreRepository": "repository:admin, or repository:create for who made it", "listTree": "repository:read", "readFile": "repository:read", "listCommits": "repository:read",
		"listBranches": "repository:read", "listTags": "repository:read", "compare": "repository:read", "lastCommits": "repository:read", "findFiles": "repository:read",
		"blameFile": "repository:read", "searchFiles": "repository:read", "downloadFile": "repository:read", "downloadArchive": "repository:read",
		"getCommit": "repository:read", "diffCommit": "repository:read", "listCommitProposals": "repository:read",
		"createBranch": "repository:write", "createTag": "repository:write", "deleteTag": "repository:write",
		"commitFiles":  "repository:write, and the BranchRules let the caller push to the branch",
		"deleteBranch": "repository:write, and the BranchRules let it be deleted by a push",
		"listOffers":   "integration:use", "connectRepository": "repository:create, and integration:use", "fetchRepository": "repository:read",
		"updateRepository": "repository:admin; repository:create in the new space, or for a new name",

		"listProposals": "repository:read; others are left out", "countProposals": "repository:read; others are not counted", "getProposal": "repository:read", "diffProposal": "repository:read",
		"listProposalStacks":  "repository:read, and run:read in the space of a run; others are left out",
		"listProposalCommits": "repository:read", "listProposalComments": "repository:read", "listChecks": "repository:read",
		"openProposal": "repository:write", "editProposal": "repository:write", "closeProposal": "repository:write", "reopenProposal": "repository:write",
		"mergeProposal":     "repository:write, and the BranchRules of the target agree",
		"revertProposal":    "repository:write",
		"updateProposal":    "repository:write, and the BranchRules of the source agree",
		"autoMergeProposal": "repository:write, now and when it is merged",
		"commentProposal":   "repository:read; what it commands asks for rights of its own", "editProposalComment": "repository:read, and the comment is the caller's own",
		"settleProposalTalk": "repository:write", "applySuggestions": "repository:write, and the BranchRules of the source agree",
		"reviewProposal": "repository:write; who opened it gives no verdict", "setCheck": "repository:write",

		"getWebhook": "integration:read", "registerWebhook": "integration:admin, and secret:write where its secret is to be made",
		"listDeliveries": "integration:read", "getDelivery": "integration:read", "getDeliveryPayload": "integration:admin", "redeliver": "integration:admin",

		"listDocs": "entity:read, and repository:read for the repository of the docs; others are left out", "getDocs": "entity:read, and repository:read for the repository of the docs",
		"getDocsPage": "entity:read, and repository:read for the repository of the docs", "searchDocs": "entity:read, and repository:read for the repository of the docs",
		"checkDocs": "entity:read, and repository:read for the repository of the docs", "downloadDocsFile": "entity:read, and repository:read for the repository of the docs",
		"getDefinition": "entity:read; repository:read for a branch, tag or commit", "compareDefinitions": "entity:read; repository:read for a branch, tag or commit",
		"search":         "entity:read for entities and APIs, run:read for runs, entity:read and repository:read for docs; others are neither found nor counted",
		"checkDocsFiles": "none; it reads nothing but what it is given",

		"listScorecards": "entity:read in the scorecard's space or below; others are left out, and what may not be seen is not counted",
		"getScorecard":   "entity:read in the scorecard's space or below; what may not be seen is not counted", "getScorecardTrend": "entity:read in the scorecard's space or below; what may not be seen today is not counted",
		"listScorecardEntities": "entity:read; others are left out", "listScorecardTeams": "entity:read; others are not counted",
		"previewScorecard": "entity:read; what may not be read is not seen by its rules", "listStandings": "entity:read", "listStandingHistory": "entity:read",
		"listModules": "module:read in the module's space, in one that it is shared with, or in one below that; others are left out",
		"getModule":   "module:read in the module's space, in one that it is shared with, or in one below that", "listModuleVersions": "module:read, as for the module",
		"getModuleVersion": "module:read, as for the module; run:read in the module's space to see which runs test it", "yankModuleVersion": "module:write",
		"restoreModuleVersion": "module:write", "testModuleVersion": "module:write",
		"listProviders": "provider:read in the provider's space, in one that it is shared with, or in one below that; others are left out",
		"getProvider":   "provider:read in the provider's space, in one that it is shared with, or in one below that", "listProviderVersions": "provider:read, as for the provider",
		"publishProviderVersion": "provider:write, and a signature by a key that the provider lists", "uploadProviderPlatform": "provider:write",
		"yankProviderVersion": "provider:write", "restoreProviderVersion": "provider:write",

		"listMetrics": "entity:read", "listFindings": "entity:read",
		"setMetric": "metric:write in the entity's space", "removeMetric": "metric:write in the entity's space", "pushFindings": "finding:write in the entity's space",
		"listRadars": "entity:read; others are left out", "getRadar": "entity:read; others are not counted",

		"getTemplateSchema": "entity:read, or template:use below the template's space", "lintTemplate": "none; it reads nothing but what it is given",
		"previewTemplate": "template:use", "useTemplate": "template:use, and what its steps do is done as the caller",
		"undoScaffold": "run:cancel and template:use, and the right to delete each thing",

		"listRuns": "run:read; others are left out", "getRun": "run:read", "followRun": "run:read", "getGraph": "run:read", "getPlan": "run:read",
		"readLog": "run:read and run:log", "followLog": "run:read and run:log", "downloadLog": "run:read and run:log",
		"confirmRun": "run:confirm, and the approval policies agree", "discardRun": "run:confirm", "approveRun": "run:confirm, and for a workflow the approval policies agree",
		"rejectRun": "run:confirm", "cancelRun": "run:cancel", "retryRun": "run:retry, what it takes to begin a run of that type for a stack's, and template:use for a golden path's",

		"promoteRun": "run:read and stack:apply", "replanRun": "run:confirm, and stack:apply, or stack:destroy for a run that destroys", "prioritizeRun": "run:prioritize",
		"markDependency": "stack:apply in the space of the marking; the runs that it tells of: run:read, others are left out",
		"listStackQueue": "stack:read and run:read", "listStackSets": "stack:read; others are left out", "getStackSet": "stack:read",
		"listStackSetFolders": "stack:read", "lookAtStackSet": "stack:read and entity:write", "tryStackSet": "stack:read and entity:write",
		"listStacks": "stack:read; others are left out", "getStack": "stack:read", "listStates": "stack:read", "startStackRun": "stack:plan for a proposed run, stack:apply for a tracked one, stack:destroy for one that destroys, stack:plan for drift, stack:task for a task",
		"unlockStack": "stack:state and stack:unlock; of the caller's own lock stack:state", "lockStack": "stack:state", "getStackEnvironment": "stack:read; checksums of secrets take secret:read where they are",
		"listContexts": "stack:read; others are left out", "getContext": "stack:read; checksums of secrets take secret:read where they are",
		"listContextStacks":   "stack:read; stacks that the caller may not read are left out",
		"uploadConfiguration": "stack:plan", "listConfigurations": "stack:read",
		"getState": "stack:read", "listStateResources": "stack:read", "getStateResource": "stack:read; its attributes for stack:state or stack:state-read",
		"diffStates": "stack:read; values for stack:state or stack:state-read", "rollbackState": "stack:state", "moveResources": "stack:state in the spaces of both stacks",
		"listResources":         "stack:read; others are left out",
		"listMirroredProviders": "mirror:read in any space", "addProvider": "mirror:write in space default", "removeProvider": "mirror:write in space default",
		"lintWorkflow": "none; it reads nothing but what it is given", "submitWorkflow": "workflow:create, and each scope that its steps ask for",
		"listTriggerEvents": "entity:read", "listWebhookMessages": "integration:read",

		"listApplications": "application:read; others are left out", "getApplication": "application:read", "diffApplication": "application:read", "followApplication": "application:read",
		"readPodLog": "application:read", "syncApplication": "application:sync", "rollbackApplication": "application:sync",

		"listSecrets": "secret:read", "putSecret": "secret:write", "deleteSecret": "secret:write",
		"listDecisions": "policy:read; others are left out", "getDecision": "policy:read",
		"listPolicies": "policy:read in the space or one below; others are left out", "getPolicy": "policy:read in the space or one below", "listPolicyPoints": "none",
		"tryPolicy":   "policy:simulate, and policy:read in the space of the decision",
		"checkPolicy": "policy:simulate", "replayPolicy": "policy:simulate",
		"listIntegrations": "integration:read; others are left out", "getIntegration": "integration:read", "testIntegration": "integration:admin",
		"listPools": "pool:read; others are left out", "getPool": "pool:read", "listAgents": "pool:read, and run:read for what they run; the rest is only counted",
		"drainPool": "pool:admin", "resumePool": "pool:admin", "drainAgent": "pool:admin", "resumeAgent": "pool:admin", "cyclePool": "pool:admin", "cycleAgent": "pool:admin",
		"listPoolTokens": "pool:admin", "createPoolToken": "pool:admin", "revokePoolToken": "pool:admin",
		"listDirectories": "directory:read; others are left out", "getDirectory": "directory:read", "lookAtDirectory": "directory:write",
		"listSpaces": "space:read; others are left out", "getRights": "space:read",
		"listLedger": "ledger:read; others are left out", "followLedger": "ledger:read; others are left out", "followEvents": "none; what the caller may not read is left out",
		"verifyLedger": "ledger:verify in the root space", "getHome": "none; what the caller may read",
	}
}

// describeRights tells in the document what each operation needs.
func (a *API) describeRights() {
	needs := rights()
	for _, item := range a.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			if right := needs[op.OperationID]; right != "" {
				op.Description = strings.TrimSpace(op.Description + "\n\nPermission: " + right + ".")
			}
		}
	}
}
