package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spec is what a Module document says.
type Spec struct {
	Owner     string   `json:"owner"`
	Provider  string   `json:"provider"`       // the last part of its address, such as aws
	Name      string   `json:"name,omitempty"` // the part before it; the document's own name when left out
	Source    Source   `json:"source"`
	ShareWith []string `json:"shareWith,omitempty"` // spaces that may use it, with those below them
	Labels    []string `json:"labels,omitempty"`
}

// Source is where a module's files are.
type Source struct {
	Repository string `json:"repository"` // NAMESPACE/NAME
	Branch     string `json:"branch,omitempty"`
	Path       string `json:"path,omitempty"`
	TagPrefix  string `json:"tagPrefix,omitempty"` // before the v of its tags, where a repository has many modules
}

// ProviderSpec is what a Provider document says.
type ProviderSpec struct {
	Owner       string   `json:"owner"`
	Type        string   `json:"type,omitempty"` // the last part of its address; the document's own name when left out
	SigningKeys []string `json:"signingKeys"`    // public keys of OpenPGP, in ASCII armor
	ShareWith   []string `json:"shareWith,omitempty"`
}

// Bounds of documents.
const (
	mostShares = 100
	mostKeys   = 20
	mostKey    = 64 << 10 // bytes
)

// The forms of names are those that engines take in addresses.
var (
	moduleName     = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z_-]{0,62}[0-9A-Za-z])?$`)
	systemName     = regexp.MustCompile(`^[0-9a-z]{1,64}$`)
	providerType   = regexp.MustCompile(`^[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?$`)
	repositoryName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}/[a-z0-9][a-z0-9._-]{0,99}$`)
	tagPrefix      = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._/-]{0,99}$`)
)

// Kinds gives the documents of this room.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Module", Plural: "modules",
		Description: "A Terraform module: a folder of a repository whose tags are versions that engines install.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := readModule(d)
			return wrong
		},
		Relations: related,
		Changed:   s.moduleChanged,
	}, {
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Provider", Plural: "providers",
		Description: "A Terraform provider: signed versions that are uploaded, and the keys by which they are signed.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := readProvider(d)
			return wrong
		},
		Relations: related,
		Changed:   s.providerChanged,
	}}
}

func related(d document.Document) []document.Relation {
	text, _ := d.Spec["owner"].(string)
	owner, err := ref.Parse(text, "group", d.Ref().Namespace)
	if err != nil {
		return nil
	}
	return []document.Relation{{Type: "ownedBy", Target: owner}}
}

func readModule(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, at...)...))
	}
	if spec.Owner == "" {
		bad("is missing", "name the group that owns it, such as group:default/payments", "owner")
	}
	if spec.Name == "" {
		spec.Name = d.Metadata.Name
	}
	if !moduleName.MatchString(spec.Name) {
		bad(fmt.Sprintf("%q can't be part of a module's address", spec.Name), "letters, digits, - and _, at most 64", "name")
	}
	if !systemName.MatchString(spec.Provider) {
		bad(fmt.Sprintf("%q can't be the provider of a module's address", spec.Provider), "lower-case letters and digits, such as aws", "provider")
	}
	if !repositoryName.MatchString(spec.Source.Repository) {
		bad(fmt.Sprintf("%q is not a repository", spec.Source.Repository), "write NAMESPACE/NAME", "source", "repository")
	}
	if spec.Source.Branch == "" {
		spec.Source.Branch = "main"
	}
	if len(spec.Source.Branch) > 200 || strings.HasPrefix(spec.Source.Branch, "refs/") {
		bad(fmt.Sprintf("%.40q is not a branch", spec.Source.Branch), "write its name, such as main", "source", "branch")
	}
	if root, ok := folder(spec.Source.Path); ok {
		spec.Source.Path = root
	} else {
		bad(fmt.Sprintf("%.100q leaves the repository", spec.Source.Path), "write a folder within it, such as modules/network", "source", "path")
	}
	if p := spec.Source.TagPrefix; p != "" && !tagPrefix.MatchString(p) {
		bad(fmt.Sprintf("%.100q is no beginning of a tag", p), "such as network/ for tags like network/v1.2.0", "source", "tagPrefix")
	}
	checkShares(spec.ShareWith, bad)
	for i, label := range spec.Labels {
		if label == "" || len(label) > 200 || i >= 100 {
			bad(fmt.Sprintf("label %.40q can't be used", label), "write at most 100 labels of at most 200 characters", "labels")
			break
		}
	}
	return spec, wrong
}

// folder gives the clean form of a folder below another, "" for that itself; not ok where it leads out.
func folder(text string) (clean string, ok bool) {
	if text == "" {
		return "", true
	}
	clean = path.Clean(text)
	if path.IsAbs(text) || clean == ".." || strings.HasPrefix(clean, "../") || len(text) > 500 || strings.ContainsAny(text, "\x00\\") {
		return "", false
	}
	if clean == "." {
		clean = ""
	}
	return clean, true
}

func checkShares(spaces []string, bad func(message, hint string, at ...string)) {
	for i, space := range spaces {
		if !access.ValidSpaceName(space) || i >= mostShares {
			bad(fmt.Sprintf("%.80q can't be shared with", space), fmt.Sprintf("name at most %d spaces", mostShares), "shareWith")
			return
		}
	}
}

func readProvider(d document.Document) (ProviderSpec, []fault.Detail) {
	var spec ProviderSpec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, at...)...))
	}
	if spec.Owner == "" {
		bad("is missing", "name the group that owns it, such as group:default/payments", "owner")
	}
	if spec.Type == "" {
		spec.Type = d.Metadata.Name
	}
	if !providerType.MatchString(spec.Type) || strings.Contains(spec.Type, "--") {
		bad(fmt.Sprintf("%q can't be the type of a provider", spec.Type), "lower-case letters, digits and single dashes, at most 63", "type")
	}
	if len(spec.SigningKeys) == 0 || len(spec.SigningKeys) > mostKeys {
		bad("needs keys", fmt.Sprintf("paste 1 to %d public keys, as gpg --armor --export writes them", mostKeys), "signingKeys")
	}
	for i, armored := range spec.SigningKeys {
		if _, err := readKey(armored); err != nil {
			bad(fmt.Sprintf("key %d: %s", i+1, fault.Message(err)), "paste a public key, as gpg --armor --export writes it", "signingKeys")
		}
	}
	checkShares(spec.ShareWith, bad)
	return spec, wrong
}

// moduleChanged keeps the row of a module, in the transaction of its document, and has its repository looked at.
func (s *Service) moduleChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		return s.forgetModule(ctx, tx, c.Ref)
	}
	spec, wrong := readModule(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Module %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode module %s", c.Ref)
	}
	other, err := taken(ctx, tx, "SELECT ref FROM registry_modules WHERE space = $1 AND name = $2 AND system = $3 AND ref <> $4", c.Space, spec.Name, spec.Provider, c.Ref.String())
	if err != nil {
		return err
	}
	if other {
		return fault.At(fmt.Sprintf("Module %s is not valid", c.New.Metadata.Name), c.New.At(
			fmt.Sprintf("another module of the space has the address %s/%s/%s", c.Space, spec.Name, spec.Provider), "give one of them another name or provider", "spec", "name"))
	}
	_, err = tx.Exec(ctx, `INSERT INTO registry_modules (ref, space, name, system, repository, owner, title, description, spec, message, updated)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,'',$10) ON CONFLICT (ref) DO UPDATE SET space=excluded.space, name=excluded.name, system=excluded.system,
 repository=excluded.repository, owner=excluded.owner, title=excluded.title, description=excluded.description, spec=excluded.spec, updated=excluded.updated`,
		c.Ref.String(), c.Space, spec.Name, spec.Provider, spec.Source.Repository, ownerOf(*c.New), c.New.Metadata.Title, c.New.Metadata.Description, string(raw), store.Micros(s.Now()))
	if err != nil {
		return fault.Wrap(err, "keep module %s", c.Ref)
	}
	return s.look(ctx, tx, c.Ref)
}

func ownerOf(d document.Document) string {
	for _, r := range related(d) {
		return r.Target.String()
	}
	return ""
}

// forgetModule drops what is kept of a module whose document is gone, and stops its tests.
func (s *Service) forgetModule(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	if err := s.stopTests(ctx, tx, r); err != nil {
		return err
	}
	for _, statement := range []string{
		"DELETE FROM registry_tests WHERE version IN (SELECT id FROM registry_versions WHERE module = $1)",
		"DELETE FROM registry_versions WHERE module = $1", "DELETE FROM registry_modules WHERE ref = $1",
	} {
		if _, err := tx.Exec(ctx, statement, r.String()); err != nil {
			return fault.Wrap(err, "forget module %s", r)
		}
	}
	return nil
}

// providerChanged keeps the row of a provider, in the transaction of its document.
func (s *Service) providerChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		for _, statement := range []string{
			"DELETE FROM registry_platforms WHERE version IN (SELECT id FROM registry_provider_versions WHERE provider = $1)",
			"DELETE FROM registry_provider_versions WHERE provider = $1", "DELETE FROM registry_providers WHERE ref = $1",
		} {
			if _, err := tx.Exec(ctx, statement, c.Ref.String()); err != nil {
				return fault.Wrap(err, "forget provider %s", c.Ref)
			}
		}
		return nil
	}
	spec, wrong := readProvider(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Provider %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode provider %s", c.Ref)
	}
	other, err := taken(ctx, tx, "SELECT ref FROM registry_providers WHERE space = $1 AND type = $2 AND ref <> $3", c.Space, spec.Type, c.Ref.String())
	if err != nil {
		return err
	}
	if other {
		return fault.At(fmt.Sprintf("Provider %s is not valid", c.New.Metadata.Name), c.New.At(
			fmt.Sprintf("another provider of the space has the address %s/%s", c.Space, spec.Type), "give one of them another type", "spec", "type"))
	}
	_, err = tx.Exec(ctx, `INSERT INTO registry_providers (ref, space, type, owner, title, description, spec, updated) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)
 ON CONFLICT (ref) DO UPDATE SET space=excluded.space, type=excluded.type, owner=excluded.owner, title=excluded.title, description=excluded.description,
 spec=excluded.spec, updated=excluded.updated`,
		c.Ref.String(), c.Space, spec.Type, ownerOf(*c.New), c.New.Metadata.Title, c.New.Metadata.Description, string(raw), store.Micros(s.Now()))
	return fault.Wrap(err, "keep provider %s", c.Ref)
}
