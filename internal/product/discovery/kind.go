package discovery

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const kindName = "Discovery"

// DocumentKind gives the kind of this room's documents.
func DocumentKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: kindName, Plural: "discoveries", Restricted: true,
		Description: "An organization of a forge whose repositories, teams and people come into the catalog.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := read(d)
			return wrong
		},
		Relations: func(d document.Document) []document.Relation {
			spec, _ := read(d)
			r, err := ref.Parse(spec.Integration, "integration", "")
			if err != nil {
				return nil
			}
			return []document.Relation{{Type: "dependsOn", Target: r}}
		},
		Changed: s.documentChanged,
	}
}

var organizationPattern = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*$`)

// read gives what a document says, completed, and what is wrong with it.
func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, at...)...))
	}
	if r, err := ref.Parse(spec.Integration, "integration", d.Ref().Namespace); err != nil || spec.Integration == "" || r.Kind != "integration" {
		bad(fmt.Sprintf("%.100q is not the name of an integration", spec.Integration), "write NAME or NAMESPACE/NAME of one", "integration")
	} else {
		spec.Integration = r.Namespace + "/" + r.Name
	}
	if spec.Organization = strings.Trim(spec.Organization, "/"); len(spec.Organization) > 255 || !organizationPattern.MatchString(spec.Organization) {
		bad(fmt.Sprintf("%.100q is not an organization", spec.Organization), "write its name as it stands in the addresses of its repositories; of a GitLab group the whole path", "organization")
	}
	if spec.Space != "" && !access.ValidSpaceName(spec.Space) {
		bad(fmt.Sprintf("%.100q is not the name of a space", spec.Space), "leave it out for the document's own", "space")
	}
	if spec.Interval == 0 {
		spec.Interval = usualInterval
	}
	if spec.Interval < minInterval || spec.Interval > maxInterval {
		bad(fmt.Sprintf("%s is out of range", spec.Interval), "write 1m to 168h", "interval")
	}
	if n := spec.MostGone; n != nil && (*n < 0 || *n > 100) {
		bad(fmt.Sprintf("%d is no percentage", *n), "write 0 to 100", "mostGone")
	}
	if c := spec.Content; c != "" && c != repository.ContentAPI && c != repository.ContentClone {
		bad(fmt.Sprintf("%.100q is no way to read repositories", c), "write clone to have all of them cloned at once, or leave it out", "content")
	}
	if spec.Repositories == nil && spec.People == nil {
		bad("has neither repositories nor people", "write repositories: {} for all repositories", "repositories")
	}
	if spec.Repositories != nil {
		spec.Repositories.check(bad)
	}
	if p := spec.People; p != nil {
		if !p.Users && !p.Teams {
			bad("has neither users nor teams", "write users: true, teams: true, or leave people out", "people")
		}
		if p.Namespace != "" && !ref.ValidName(p.Namespace) {
			bad(fmt.Sprintf("%.100q is not a namespace", p.Namespace), "", "people", "namespace")
		}
	}
	slices.SortStableFunc(wrong, func(a, b fault.Detail) int { return strings.Compare(a.Field, b.Field) })
	return spec, wrong
}

func (r *Repositories) check(bad func(message, hint string, at ...string)) {
	for field, patterns := range map[string][]string{"include": r.Include, "exclude": r.Exclude, "topics": r.Topics} {
		if len(patterns) > maxPatterns {
			bad(fmt.Sprintf("has more than %d entries", maxPatterns), "", "repositories", field)
			continue
		}
		for i, p := range patterns {
			if _, err := path.Match(p, ""); p == "" || len(p) > 255 || field != "topics" && (err != nil || strings.Count(p, "**") > 4) {
				bad(fmt.Sprintf("%.100q is not a pattern of names", p), "write it like shop-* or platform/**", "repositories", field, strconv.Itoa(i))
			}
		}
	}
	if v := r.Visibility; v != "" && v != "private" && v != "public" {
		bad(fmt.Sprintf("%.100q is not a visibility", v), "write private or public, or leave it out for both", "repositories", "visibility")
	}
	if r.Path != "" {
		clean, err := git.CheckPath(r.Path)
		if _, pattern := path.Match(clean, ""); err != nil || pattern != nil || clean == "" || len(clean) > 500 || strings.Count(clean, "**") > 4 {
			bad(fmt.Sprintf("%.100q is not the path of a file", r.Path), "write it like catalog-info.yaml or services/*/catalog-info.yaml", "repositories", "path")
		} else {
			r.Path = clean
		}
	}
	if r.Branch != "" && git.CheckBranch(r.Branch) != nil {
		bad(fmt.Sprintf("%.100q is not a branch", r.Branch), "leave it out for the default one of each repository", "repositories", "branch")
	}
	if r.Namespace != "" && (!ref.ValidName(r.Namespace) || r.Namespace != strings.ToLower(r.Namespace)) {
		bad(fmt.Sprintf("%.100q is not a namespace", r.Namespace), "use small letters, digits, '.', '_' and '-'", "repositories", "namespace")
	}
}

// documentChanged keeps the row of a Discovery, in the transaction of its document, and has it looked at soon.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	name := c.Ref.Namespace + "/" + c.Ref.Name
	if c.New == nil {
		_, err := tx.Exec(ctx, `UPDATE discoveries SET ended = 1, next = 0, generation = generation + 1 WHERE name = $1`, name)
		s.DB.Notify(tx, channel)
		return fault.Wrap(err, "end discovery %s", name)
	}
	spec, wrong := read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("%s %s is not valid", kindName, c.New.Metadata.Name), wrong...)
	}
	before, err := byName(ctx, tx, name)
	switch {
	case err == nil && before.Space != c.Space: // it is looked for there what came from it
		return fault.Errorf(fault.Conflict, "what discovery %s has found in space %s is still being taken away; try again in a moment", name, before.Space)
	case err != nil && !fault.Is(err, fault.NotFound):
		return err
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode discovery %s", name)
	}
	_, err = tx.Exec(ctx, `INSERT INTO discoveries (name, space, spec, ended, generation, state, reason, counts, since, looked, next)
 VALUES ($1,$2,$3,0,1,$4,'','{}',0,0,0) ON CONFLICT (name) DO UPDATE SET space=excluded.space, spec=excluded.spec, ended=0, next=0,
 generation=discoveries.generation+1`, name, c.Space, string(raw), string(Unknown))
	s.DB.Notify(tx, channel)
	return fault.Wrap(err, "keep discovery %s", name)
}
