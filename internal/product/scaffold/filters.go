package scaffold

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
)

// Filter is one filter that templates have beyond nunjucks' own.
type Filter struct {
	Name, Description string
	fn                nunjucks.Func
}

// Filters gives Backstage's filters of templates, which work the same in a template's steps and in its files.
func Filters() []Filter {
	return []Filter{
		{"parseRepoUrl", "Parts of a repository URL of the form HOST?owner=OWNER&repo=REPO: host, owner, repo, …", func(args []any) (any, error) {
			text, err := textArgument(args)
			if err != nil {
				return nil, err
			}
			return parseRepoURL(text)
		}},
		{"projectSlug", "OWNER/REPO of a repository URL.", func(args []any) (any, error) {
			text, err := textArgument(args)
			if err != nil {
				return nil, err
			}
			parts, err := parseRepoURL(text)
			if err != nil {
				return nil, err
			}
			return fmt.Sprintf("%v/%v", parts["owner"], parts["repo"]), nil
		}},
		{"parseEntityRef", "kind, namespace and name of an entity reference; takes {defaultKind, defaultNamespace}.", parseEntityRef},
		{"pick", "One property of an object, by its path.", func(args []any) (any, error) {
			if len(args) < 2 {
				return nil, fmt.Errorf("wants the name of a property")
			}
			return pick(args[0], fmt.Sprint(args[1])), nil
		}},
	}
}

func filterFuncs() map[string]nunjucks.Func {
	funcs := map[string]nunjucks.Func{}
	for _, f := range Filters() {
		funcs[f.Name] = f.fn
	}
	return funcs
}

func textArgument(args []any) (string, error) {
	if len(args) > 0 {
		if text, ok := args[0].(string); ok {
			return text, nil
		}
	}
	return "", fmt.Errorf("wants text such as example.com?owner=team&repo=shop")
}

// parseRepoURL reads HOST?owner=OWNER&repo=REPO. What is not given is left out of the result.
func parseRepoURL(text string) (map[string]any, error) {
	u, err := url.Parse("https://" + text)
	if err != nil || strings.Contains(text, "://") {
		return nil, fmt.Errorf("%q is not a repository URL; write HOST?owner=OWNER&repo=REPO", clip(text, 200))
	}
	parts := map[string]any{"host": u.Host}
	query := u.Query()
	for _, name := range []string{"owner", "organization", "workspace", "project", "repo"} {
		if query.Has(name) {
			parts[name] = strings.Trim(query.Get(name), "/")
		}
	}
	if parts["repo"] == nil || parts["repo"] == "" {
		return nil, fmt.Errorf("%q does not name a repository; write HOST?owner=OWNER&repo=REPO", clip(text, 200))
	}
	return parts, nil
}

var compactRef = regexp.MustCompile(`^(?:([^:/]+):)?(?:([^:/]+)/)?([^:/]+)$`)

// parseEntityRef keeps the case of what it is given, as Backstage's filter does.
func parseEntityRef(args []any) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("wants an entity reference")
	}
	defaults := map[string]any{}
	if len(args) > 1 {
		defaults, _ = args[1].(map[string]any)
	}
	var kind, namespace, name string
	switch value := args[0].(type) {
	case string:
		m := compactRef.FindStringSubmatch(value)
		if m == nil {
			return nil, fmt.Errorf("%q is not an entity reference; write kind:namespace/name", clip(value, 200))
		}
		kind, namespace, name = m[1], m[2], m[3]
	case map[string]any:
		kind, _ = value["kind"].(string)
		namespace, _ = value["namespace"].(string)
		name, _ = value["name"].(string)
	}
	if kind == "" {
		kind, _ = defaults["defaultKind"].(string)
	}
	if namespace == "" {
		namespace, _ = defaults["defaultNamespace"].(string)
	}
	if namespace == "" {
		namespace = "default"
	}
	if kind == "" || name == "" {
		return nil, fmt.Errorf("the entity reference %v has no kind or no name; write kind:namespace/name, or give {defaultKind: …}", clip(fmt.Sprint(args[0]), 200))
	}
	return map[string]any{"kind": kind, "namespace": namespace, "name": name}, nil
}

var pathPart = regexp.MustCompile(`[^.\[\]]+`)

// pick follows a path such as a.b[0].c.
func pick(value any, path string) any {
	for _, part := range pathPart.FindAllString(path, -1) {
		switch here := value.(type) {
		case map[string]any:
			next, ok := here[strings.Trim(part, `"'`)]
			if !ok {
				return nunjucks.Undefined
			}
			value = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(here) {
				return nunjucks.Undefined
			}
			value = here[i]
		default:
			return nunjucks.Undefined
		}
	}
	return value
}

func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
