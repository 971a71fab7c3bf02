package stack

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// SetSpec is what a StackSet document says: a stack for each folder of a repository that fits.
type SetSpec struct {
	Owner     string         `json:"owner,omitempty"`
	Source    SetSource      `json:"source"`
	Folders   []string       `json:"folders"`          // patterns, such as stacks/*/*/
	Ignore    []string       `json:"ignore,omitempty"` // patterns of folders that are left out
	Files     []string       `json:"files,omitempty"`  // patterns of names, of which a folder has a file; what engines read when left out
	Name      string         `json:"name,omitempty"`   // of each stack, with placeholders; the whole path when left out
	Removed   string         `json:"removed,omitempty"`
	PlanFirst bool           `json:"planFirst,omitempty"` // plan what the first look finds too
	Template  map[string]any `json:"template,omitempty"`  // a Stack's spec, with placeholders
}

// SetSource is the branch whose folders become stacks.
type SetSource struct {
	Repository string `json:"repository"` // NAMESPACE/NAME
	Branch     string `json:"branch,omitempty"`
}

// What becomes of a stack whose folder is gone.
const (
	Keep   = "keep"
	Delete = "delete" // when its state holds nothing any more
)

// Set is the projection of a StackSet document with what became of it.
type Set struct {
	Ref     ref.Entity
	Space   string
	Spec    SetSpec
	Seen    string // commit that was looked at last
	Adopt   string // at which stacks that are new count as looked at; "" to plan them
	Deleted bool
	Updated time.Time
	Edit    int64
	Brought int64 // the edit of which the stacks know
	Editors Editors
	Report  SetReport

	generation int64
	text       string
}

// SetReport is what the last look of a set came to.
type SetReport struct {
	Looked  time.Time `json:"looked"` // zero before the first
	Took    int64     `json:"took"`   // milliseconds
	Stacks  int       `json:"stacks"`
	Kept    int       `json:"kept"`    // whose folder is gone
	Held    int       `json:"held"`    // that would go, but are more than may go at once
	Wrong   int       `json:"wrong"`   // folders that could not become one
	Stale   int       `json:"stale"`   // stacks that are not as the set says, since that could not be taken
	Ignored int       `json:"ignored"` // folders that a pattern leaves out
	Bare    int       `json:"bare"`    // folders without a file of their own
	Made    int       `json:"made"`    // stacks that are new since the look before
	Gone    int       `json:"gone"`    // stacks that were taken away
	Problem []string  `json:"problem"` // at most 50
	Message string    `json:"message"` // why nothing could be looked at
}

// UsualName is how the stacks of a set are called that says nothing of it.
const UsualName = "{{path.slug}}"

const (
	mostFolders  = 5000
	mostPatterns = 50
	mostProblems = 50
	goneAtOnce   = 25 // percent of a set that go at once
	setPrefix    = "stackset:"
)

func codePatterns() []string {
	return []string{"*.tf", "*.tofu", "*.tf.json", "*.tofu.json"}
}

// SetKind gives the kind StackSet, kept by s.
func SetKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "StackSet", Plural: "stacksets",
		Description: "A stack for each folder of a repository that fits, made of a template.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := readSet(d)
			return wrong
		},
		Relations: func(d document.Document) []document.Relation {
			spec, wrong := readSet(d)
			if owner, err := ref.Parse(spec.Owner, "group", d.Ref().Namespace); len(wrong) == 0 && spec.Owner != "" && err == nil {
				return []document.Relation{{Type: "ownedBy", Target: owner}}
			}
			return nil
		},
		Changed: s.setChanged,
	}
}

func readSet(d document.Document) (SetSpec, []fault.Detail) {
	var spec SetSpec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) { wrong = append(wrong, d.At(message, hint, at...)) }
	if !repositoryName.MatchString(spec.Source.Repository) {
		bad(fmt.Sprintf("%q is not a hosted repository", spec.Source.Repository), "write NAMESPACE/NAME", "spec", "source", "repository")
	}
	spec.Source.Branch = cmp.Or(spec.Source.Branch, "main")
	if len(spec.Folders) == 0 {
		bad("is missing", "write patterns of folders, such as stacks/*/", "spec", "folders")
	}
	spec.Folders = patterns(spec.Folders, "folders", bad)
	spec.Ignore = patterns(spec.Ignore, "ignore", bad)
	spec.Files = fileNames(spec.Files, bad)
	switch spec.Removed {
	case "":
		spec.Removed = Keep
	case Keep, Delete:
	default:
		bad(fmt.Sprintf("%q is nothing that is done", spec.Removed), "write keep or delete", "spec", "removed")
	}
	if _, there := spec.Template["source"]; there {
		bad("names a source", "the repository and the branch are those of the set, and the path is each folder", "spec", "template", "source")
	}
	if len(wrong) > 0 {
		return spec, wrong
	}
	for _, at := range spec.namedCommands() {
		bad("names its folder in a command, which whoever may push could then write", "leave placeholders out of the command of a task; the folder is its working directory, and $ROADBED_PROJECT_ROOT", "spec", "template", "schedules", strconv.Itoa(at), "command")
	}
	if len(wrong) > 0 {
		return spec, wrong
	}
	// The template is held to the form of a stack by the folder of an example.
	one, problems := spec.stack(d.Ref(), exampleFolder)
	for _, p := range problems {
		bad(p, "placeholders are {{path}}, {{path.basename}}, {{path.slug}} and {{path[0]}}, {{path[1]}}, …", "spec", "template")
	}
	if len(problems) == 0 {
		made, details := read(one)
		for i, each := range made.Schedules {
			if each.DeleteStack {
				bad("takes stacks away that the set would make again", "write removed: delete, and remove the folder", "spec", "template", "schedules", strconv.Itoa(i), "deleteStack")
			}
		}
		for _, detail := range details {
			field := strings.Split(strings.TrimPrefix(detail.Field, "spec."), ".")
			wrong = append(wrong, d.At(detail.Message, detail.Hint, append([]string{"spec", "template"}, field...)...))
		}
	}
	return spec, wrong
}

// namedCommands gives the places of schedules whose commands have placeholders: the name of a folder would be run as a part of them.
func (spec SetSpec) namedCommands() (at []int) {
	schedules, _ := spec.Template["schedules"].([]any)
	for i, one := range schedules {
		each, _ := one.(map[string]any)
		if command, _ := each["command"].(string); placeholder.MatchString(command) {
			at = append(at, i)
		}
	}
	return at
}

// fileNames gives patterns of names of files, and tells what is wrong with them.
func fileNames(all []string, bad func(message, hint string, at ...string)) []string {
	for _, name := range all[:min(len(all), mostPatterns)] {
		if strings.Contains(name, "/") || name == "**" {
			bad(fmt.Sprintf("%q is not the name of a file", name), "write a pattern of names, such as *.tf or stack.yaml", "spec", "files")
		}
	}
	return patterns(all, "files", bad)
}

// patterns gives patterns without a slash at their end, each once, and tells what is wrong with them.
func patterns(all []string, field string, bad func(message, hint string, at ...string)) []string {
	if len(all) > mostPatterns {
		bad(fmt.Sprintf("%d patterns are too many", len(all)), fmt.Sprintf("write at most %d", mostPatterns), "spec", field)
		return nil
	}
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = strings.TrimSuffix(p, "/")
		if problem := badPattern(out[i]); problem != "" {
			bad(fmt.Sprintf("%q %s", p, problem), "write a pattern within the repository: * is any name, ** any folders", "spec", field, strconv.Itoa(i))
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(p string) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}

// badPattern tells what is wrong with a pattern of paths; "" for nothing.
func badPattern(p string) string {
	_, err := path.Match(p, "")
	switch {
	case p == "" || len(p) > 300 || strings.ContainsAny(p, "\x00\n"):
		return "is no pattern of 1 to 300 characters"
	case err != nil || strings.Count(p, "**") > 4:
		return "is no pattern"
	case path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
		return "leaves the repository"
	}
	return ""
}

var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// filled gives a text with what its placeholders stand for, and those that stand for nothing.
func filled(text, folder string) (string, []string) {
	var unknown []string
	parts := strings.Split(folder, "/")
	out := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		word := placeholder.FindStringSubmatch(found)[1]
		switch word {
		case "path":
			return folder
		case "path.basename":
			return path.Base(folder)
		case "path.slug":
			return slug(folder)
		}
		if at, ok := strings.CutPrefix(word, "path["); ok {
			if n, err := strconv.Atoi(strings.TrimSuffix(at, "]")); err == nil && strings.HasSuffix(at, "]") && n >= 0 {
				if n < len(parts) {
					return parts[n]
				}
				unknown = append(unknown, fmt.Sprintf("%s: folder %s has only %s", found, folder, plural(len(parts), "part", "parts")))
				return ""
			}
		}
		unknown = append(unknown, found+" is no placeholder")
		return ""
	})
	return out, unknown
}

// fill is filled for all texts of a value.
func fill(value any, folder string) (any, []string) {
	switch v := value.(type) {
	case string:
		return filled(v, folder)
	case []any:
		out, unknown := make([]any, len(v)), []string(nil)
		for i, one := range v {
			next, more := fill(one, folder)
			out[i], unknown = next, append(unknown, more...)
		}
		return out, unknown
	case map[string]any:
		out, unknown := make(map[string]any, len(v)), []string(nil)
		for k, one := range v {
			next, more := fill(one, folder)
			out[k], unknown = next, append(unknown, more...)
		}
		return out, unknown
	}
	return value, nil
}

// slug makes a name of a path: lower case, with - for all that a name can't have.
func slug(text string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '_':
			b.WriteRune(c)
		case !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-._")
}

// stack makes the document of a folder, or tells why it can't.
func (spec SetSpec) stack(set ref.Entity, folder string) (d document.Document, wrong []string) {
	name, wrong := filled(cmp.Or(spec.Name, UsualName), folder)
	if name = slug(name); len(wrong) == 0 && (name == "" || len(name) > 63) {
		wrong = append(wrong, fmt.Sprintf("folder %s gives the name %q, which has not 1 to 63 characters; say spec.name, such as {{path.basename}}", folder, name))
	}
	value, unknown := fill(spec.Template, folder)
	if wrong = append(wrong, unknown...); len(wrong) > 0 {
		return d, wrong
	}
	made, _ := value.(map[string]any)
	if made == nil {
		made = map[string]any{}
	}
	if _, there := made["owner"]; !there && spec.Owner != "" {
		made["owner"] = spec.Owner
	}
	made["source"] = map[string]any{"repository": spec.Source.Repository, "branch": spec.Source.Branch, "path": folder}
	return document.Document{
		APIVersion: "roadbed.dev/v1", Kind: "Stack", Spec: made,
		Metadata: document.Metadata{Name: name, Namespace: set.Namespace, Annotations: map[string]string{"roadbed.dev/stack-set": set.String()}},
		Origin:   document.Origin{File: folder},
	}, nil
}

// stacks makes the documents of folders. Of those that would have the same name none is made: which of them a stack's state
// belongs to is not for the order of folders to say.
func (spec SetSpec) stacks(set ref.Entity, folders []string) (docs []document.Document, skipped []skip) {
	byName := map[string][]document.Document{}
	var names []string
	for _, folder := range folders {
		d, wrong := spec.stack(set, folder)
		if len(wrong) > 0 {
			skipped = append(skipped, skip{[]string{folder}, strings.Join(wrong, "; ")})
			continue
		}
		if _, there := byName[d.Metadata.Name]; !there {
			names = append(names, d.Metadata.Name)
		}
		byName[d.Metadata.Name] = append(byName[d.Metadata.Name], d)
	}
	for _, name := range names {
		same := byName[name]
		if len(same) == 1 {
			docs = append(docs, same[0])
			continue
		}
		where := make([]string, len(same))
		for i, d := range same {
			where[i] = d.Origin.File
		}
		skipped = append(skipped, skip{where, fmt.Sprintf("folders %s would all be stack %s; say spec.name so that their names differ, or have one of them ignored", strings.Join(where[:min(len(where), 5)], ", "), name)})
	}
	return docs, skipped
}

// example gives what the stacks that a set makes are like.
func (spec SetSpec) example(set ref.Entity) Spec {
	one, problems := spec.stack(set, exampleFolder)
	if len(problems) > 0 {
		return Spec{}
	}
	made, _ := read(one)
	return made
}

// exampleFolder is by what a template is held to the form of a stack.
const exampleFolder = "example/a/b/c/d/e/f/g"
