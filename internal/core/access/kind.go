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
		Inherit     *bool  `json:"inherit"` // whether what is in the spaces above may be used in it; nil is true
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
			Description: "A place that rights attach to; spaces form a tree under default, and a right holds in the space and all below. Without inherit, what is in those above can't be used in it.",
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
			APIVersions: []string{backstage, "backstage.io/v1beta1"}, Name: "User", Plural: "users", Restricted: true, Strict: true,
			Description: "A person.",
			Validate:    fields(userFields()), Relations: related(userFields()), Changed: s.changedBy("User", s.userChanged),
		},
		{
			APIVersions: []string{backstage, "backstage.io/v1beta1"}, Name: "Group", Plural: "groups", Restricted: true, Strict: true,
			Description: "A team or another set of people; groups nest, and who is in a group is in those above it.",
			Validate:    fields(groupFields()), Relations: related(groupFields()), Changed: s.changedBy("Group", s.groupChanged),
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
	case d.Metadata.Name == Root && spec.Inherit != nil && !*spec.Inherit:
		wrong = append(wrong, d.At("default is the root and has nothing to inherit", "leave spec.inherit out", "spec", "inherit"))
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

func userFields() []document.Field {
	return []document.Field{
		profile(),
		{Name: "memberOf", Form: document.Texts, Required: true, Most: maxMembers, Relation: "memberOf", Kind: "group"},
	}
}

func groupFields() []document.Field {
	return []document.Field{
		{Name: "type", Form: document.Text, Required: true},
		profile(),
		{Name: "parent", Form: document.Text, Relation: "childOf", Kind: "group"},
		{Name: "children", Form: document.Texts, Required: true, Most: maxMembers, Relation: "parentOf", Kind: "group"},
		{Name: "members", Form: document.Texts, Most: maxMembers, Relation: "hasMember", Kind: "user"},
	}
}

func profile() document.Field {
	return document.Field{Name: "profile", Form: document.Mapping, Fields: []document.Field{
		{Name: "displayName", Form: document.Text}, {Name: "email", Form: document.Text}, {Name: "picture", Form: document.Text},
	}}
}

func fields(all []document.Field) func(document.Document) []fault.Detail {
	return func(d document.Document) []fault.Detail { return document.CheckFields(d, all) }
}

func related(all []document.Field) func(document.Document) []document.Relation {
	return func(d document.Document) []document.Relation { return document.Related(d, all) }
}

// refs gives those of the references that may be of a kind; members may also be machines. What names no such thing
// gives no rights.
func refs(d document.Document, texts []string, kind string) []ref.Entity {
	namespace := ref.New("", d.Metadata.Namespace, "").Namespace
	all := make([]ref.Entity, 0, len(texts))
	for _, text := range texts {
		if e, err := ref.Parse(text, kind, namespace); err == nil && (e.Kind == kind || kind == "user" && e.Kind == "machine") {
			all = append(all, e)
		}
	}
	return all
}
