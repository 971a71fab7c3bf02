package access

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What documents of this room say under spec.
type (
	spaceSpec struct {
		Parent      string `json:"parent"` // default "default"
		Description string `json:"description"`
	}
	roleSpec struct {
		Description string   `json:"description"`
		Permissions []string `json:"permissions"`
	}
	bindingSpec struct {
		Role     string   `json:"role"`
		Space    string   `json:"space"` // default: the space of the source
		Subjects []string `json:"subjects"`
	}
	userSpec struct {
		MemberOf []string `json:"memberOf"`
	}
	groupSpec struct {
		Parent   string   `json:"parent"`
		Children []string `json:"children"`
		Members  []string `json:"members"`
	}
)

// Bounds on one document.
const (
	maxPermissions = 500
	maxSubjects    = 1000
	maxMembers     = 20000
)

const (
	ours      = "roadbed.dev/v1"
	backstage = "backstage.io/v1alpha1"
)

// Kinds gives the documents of this room. All are restricted: whoever writes them gives rights.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{
		{
			APIVersions: []string{ours}, Name: "Space", Plural: "spaces", Restricted: true,
			Description: "A place that rights attach to; spaces form a tree under default, and a right holds in the space and all below.",
			Validate:    validateSpace, Changed: s.changedBy("Space", s.spaceChanged),
		},
		{
			APIVersions: []string{ours}, Name: "Role", Plural: "roles", Restricted: true,
			Description: "A named set of permissions, such as run:confirm, that can be bound in its space and below.",
			Validate:    validateRole, Changed: s.changedBy("Role", s.roleChanged),
		},
		{
			APIVersions: []string{ours}, Name: "RoleBinding", Plural: "rolebindings", Restricted: true,
			Description: "Gives a role in a space to users, groups and machines.",
			Validate:    validateBinding, Changed: s.changedBy("RoleBinding", s.bindingChanged),
		},
		{
			APIVersions: []string{backstage}, Name: "User", Plural: "users", Restricted: true,
			Description: "A person.",
			Validate:    validateUser, Relations: userRelations, Changed: s.changedBy("User", s.userChanged),
		},
		{
			APIVersions: []string{backstage}, Name: "Group", Plural: "groups", Restricted: true,
			Description: "A team or another set of people; groups nest, and who is in a group is in those above it.",
			Validate:    validateGroup, Relations: groupRelations, Changed: s.changedBy("Group", s.groupChanged),
		},
	}
}

// changedBy joins a room's own projection with those of others and marks the snapshots stale.
func (s *Service) changedBy(kind string, own Projection) Projection {
	return func(ctx context.Context, tx *store.Tx, c document.Change) error {
		if err := own(ctx, tx, c); err != nil {
			return fault.Wrap(err, "%s %s", kind, c.Ref.Name)
		}
		for _, project := range s.projections[kind] {
			if err := project(ctx, tx, c); err != nil {
				return fault.Wrap(err, "%s %s", kind, c.Ref.Name)
			}
		}
		return s.changed(ctx, tx)
	}
}

var spaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidSpaceName tells whether s may name a space: lower-case letters, digits and dashes, at most 63.
func ValidSpaceName(s string) bool { return spaceName.MatchString(s) }

// clusterWide holds a document to the one catalog namespace in which its name is unique everywhere.
func clusterWide(d document.Document) []fault.Detail {
	var wrong []fault.Detail
	if !ValidSpaceName(d.Metadata.Name) {
		wrong = append(wrong, d.At(fmt.Sprintf("%q can't name a %s", d.Metadata.Name, strings.ToLower(d.Kind)),
			"use lower-case letters, digits and dashes", "metadata", "name"))
	}
	if n := d.Metadata.Namespace; n != "" && n != ref.DefaultNamespace {
		wrong = append(wrong, d.At(fmt.Sprintf("a %s has no namespace: its name counts everywhere", d.Kind),
			"leave the namespace out", "metadata", "namespace"))
	}
	return wrong
}

func validateSpace(d document.Document) []fault.Detail {
	wrong := clusterWide(d)
	var spec spaceSpec
	if err := document.Decode(d, &spec); err != nil {
		return append(wrong, fault.Details(err)...)
	}
	switch {
	case d.Metadata.Name == Root && spec.Parent != "":
		wrong = append(wrong, d.At("default is the root and has no parent", "leave spec.parent out", "spec", "parent"))
	case spec.Parent != "" && !ValidSpaceName(spec.Parent):
		wrong = append(wrong, d.At(fmt.Sprintf("%q is not the name of a space", spec.Parent), "use lower-case letters, digits and dashes", "spec", "parent"))
	case spec.Parent == d.Metadata.Name:
		wrong = append(wrong, d.At("a space can't be its own parent", "name the space above, or leave it out for default", "spec", "parent"))
	}
	return wrong
}

func validateRole(d document.Document) []fault.Detail {
	wrong := clusterWide(d)
	if _, taken := builtin()[d.Metadata.Name]; taken {
		wrong = append(wrong, d.At(fmt.Sprintf("the role %s is built in and can't be changed", d.Metadata.Name), "choose another name", "metadata", "name"))
	}
	var spec roleSpec
	if err := document.Decode(d, &spec); err != nil {
		return append(wrong, fault.Details(err)...)
	}
	if len(spec.Permissions) == 0 || len(spec.Permissions) > maxPermissions {
		wrong = append(wrong, d.At(fmt.Sprintf("a role has 1 to %d permissions", maxPermissions), "list actions such as run:confirm", "spec", "permissions"))
		return wrong
	}
	for i, p := range spec.Permissions {
		if !ValidPermission(p) {
			wrong = append(wrong, d.At(fmt.Sprintf("%q is not a permission", p), "write an action such as run:confirm, a noun with all its actions (run:*), or *",
				"spec", "permissions", fmt.Sprint(i)))
		}
	}
	return wrong
}

func validateBinding(d document.Document) []fault.Detail {
	var spec bindingSpec
	if err := document.Decode(d, &spec); err != nil {
		return fault.Details(err)
	}
	var wrong []fault.Detail
	if spec.Role == "" {
		wrong = append(wrong, d.At("a binding needs a role", "admin, developer, reader, or the name of a Role", "spec", "role"))
	}
	if spec.Space != "" && !ValidSpaceName(spec.Space) {
		wrong = append(wrong, d.At(fmt.Sprintf("%q is not the name of a space", spec.Space), "use lower-case letters, digits and dashes", "spec", "space"))
	}
	if len(spec.Subjects) == 0 || len(spec.Subjects) > maxSubjects {
		wrong = append(wrong, d.At(fmt.Sprintf("a binding has 1 to %d subjects", maxSubjects), "for more people, bind a group", "spec", "subjects"))
		return wrong
	}
	for i, text := range spec.Subjects {
		if _, err := subject(text); err != nil {
			wrong = append(wrong, d.At(fault.Message(err), "such as user:default/alice, group:default/payments or machine:payments/deployer",
				"spec", "subjects", fmt.Sprint(i)))
		}
	}
	return wrong
}

// subject reads who a binding is for.
func subject(text string) (ref.Entity, error) {
	e, err := ref.Parse(text, "", ref.DefaultNamespace)
	if err != nil {
		return e, err
	}
	switch e.Kind {
	case "user", "group", "machine":
		return e, nil
	}
	return e, fault.Errorf(fault.Invalid, "%q is neither a user nor a group nor a machine", text)
}

func validateUser(d document.Document) []fault.Detail {
	var spec userSpec
	if err := document.DecodeLoose(d, &spec); err != nil {
		return fault.Details(err)
	}
	_, wrong := refs(d, "memberOf", spec.MemberOf, "group")
	return wrong
}

func validateGroup(d document.Document) []fault.Detail {
	var spec groupSpec
	if err := document.DecodeLoose(d, &spec); err != nil {
		return fault.Details(err)
	}
	_, wrong := refs(d, "members", spec.Members, "user")
	_, more := refs(d, "children", spec.Children, "group")
	wrong = append(wrong, more...)
	if spec.Parent != "" {
		_, more = refs(d, "parent", []string{spec.Parent}, "group")
		wrong = append(wrong, more...)
	}
	return wrong
}

// refs reads references of one kind, in the document's namespace where none is given. Members may also be machines.
func refs(d document.Document, field string, texts []string, kind string) ([]ref.Entity, []fault.Detail) {
	if len(texts) > maxMembers {
		return nil, []fault.Detail{d.At(fmt.Sprintf("%d are too many; at most %d are taken", len(texts), maxMembers), "nest groups", "spec", field)}
	}
	namespace := ref.New("", d.Metadata.Namespace, "").Namespace
	all := make([]ref.Entity, 0, len(texts))
	var wrong []fault.Detail
	for i, text := range texts {
		path := []string{"spec", field, fmt.Sprint(i)}
		if field == "parent" {
			path = path[:2]
		}
		e, err := ref.Parse(text, kind, namespace)
		switch {
		case err != nil:
			wrong = append(wrong, d.At(fault.Message(err), "", path...))
		case e.Kind != kind && !(kind == "user" && e.Kind == "machine"):
			wrong = append(wrong, d.At(fmt.Sprintf("%q is not a %s", text, kind), "", path...))
		default:
			all = append(all, e)
		}
	}
	return all, wrong
}

func userRelations(d document.Document) []document.Relation {
	var spec userSpec
	if document.DecodeLoose(d, &spec) != nil {
		return nil
	}
	return relations(d, "memberOf", "memberOf", spec.MemberOf, "group")
}

func groupRelations(d document.Document) []document.Relation {
	var spec groupSpec
	if document.DecodeLoose(d, &spec) != nil {
		return nil
	}
	all := relations(d, "hasMember", "members", spec.Members, "user")
	all = append(all, relations(d, "parentOf", "children", spec.Children, "group")...)
	if spec.Parent != "" {
		all = append(all, relations(d, "childOf", "parent", []string{spec.Parent}, "group")...)
	}
	return all
}

func relations(d document.Document, kind, field string, texts []string, target string) []document.Relation {
	targets, _ := refs(d, field, texts, target)
	all := make([]document.Relation, 0, len(targets))
	for _, t := range targets {
		all = append(all, document.Relation{Type: kind, Target: t})
	}
	return all
}
