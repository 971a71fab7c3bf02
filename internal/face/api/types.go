package api

import "github.com/roadbed-dev/roadbed/client"

// The wire types are those of the public client.
type (
	Node              = client.Node
	Entity            = client.Entity
	Relation          = client.Relation
	EntityVersion     = client.EntityVersion
	Applied           = client.Applied
	Location          = client.Location
	FileProblem       = client.FileProblem
	KindInfo          = client.KindInfo
	TemplateSchema    = client.TemplateSchema
	LintReport        = client.LintReport
	LintWarning       = client.LintWarning
	TemplatePage      = client.TemplatePage
	PreviewFile       = client.PreviewFile
	SecretInfo        = client.SecretInfo
	Home              = client.Home
	Integration       = client.Integration
	Rate              = client.Rate
	Actor             = client.Actor
	Application       = client.Application
	ApplicationDetail = client.ApplicationDetail
	Artifact          = client.Artifact
	Binding           = client.Binding
	Blame             = client.Blame
	Branch            = client.Branch
	Comparison        = client.Comparison
	Commit            = client.Commit
	CommitDetail      = client.CommitDetail
	Committed         = client.Committed
	Decision          = client.Decision
	DecisionDetail    = client.DecisionDetail
	Delivery          = client.Delivery
	DeliveryPayload   = client.DeliveryPayload
	Machine           = client.Machine
	Entry             = client.Entry
	Features          = client.Features
	File              = client.File
	Found             = client.Found
	LastCommits       = client.LastCommits
	NewCommit         = client.NewCommit
	NewRef            = client.NewRef
	Paths             = client.Paths
	LogChunk          = client.LogChunk
	LogEnd            = client.LogEnd
	Me                = client.Me
	NewToken          = client.NewToken
	Object            = client.Object
	ObjectChange      = client.ObjectChange
	Proposal          = client.Proposal
	ProposalLine      = client.ProposalLine
	ProposalDetail    = client.ProposalDetail
	ProposalComment   = client.ProposalComment
	ProposalCheck     = client.ProposalCheck
	Diff              = client.Diff
	Offer             = client.Offer
	Outside           = client.Outside
	Plan              = client.Plan
	PlanChange        = client.PlanChange
	PolicyTest        = client.PolicyTest
	Refusals          = client.Refusals
	RegisteredWebhook = client.RegisteredWebhook
	Replay            = client.Replay
	ReplayChange      = client.ReplayChange
	Repository        = client.Repository
	Import            = client.Import
	Mirror            = client.Mirror
	Review            = client.Review
	Revision          = client.Revision
	Role              = client.Role
	Run               = client.Run
	RunDetail         = client.RunDetail
	RunSource         = client.RunSource
	SignInLink        = client.SignInLink
	Space             = client.Space
	SpaceRights       = client.SpaceRights
	Stack             = client.Stack
	StateVersion      = client.StateVersion
	Status            = client.Status
	Step              = client.Step
	Summary           = client.Summary
	Tag               = client.Tag
	Token             = client.Token
	TreeEntry         = client.TreeEntry
	TriggerEvent      = client.TriggerEvent
	Value             = client.Value
	Verification      = client.Verification
	Webhook           = client.Webhook
)

// List is one page of a list.
type List[T any] = client.List[T]
