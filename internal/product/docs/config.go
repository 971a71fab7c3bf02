package docs

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// config is what is read of mkdocs.yml. What else it says, such as themes, plugins and extensions, is for MkDocs, and is no
// mistake here.
type config struct {
	name        string
	description string
	docsDir     string
	noEdit      bool // edit_uri is empty: the author wants no links to edit
	nav         *yaml.Node
}

// readConfig reads mkdocs.yml. Tags of Python are passed over; a file that is no YAML is a problem, and has no effect.
func readConfig(file string, data []byte) (config, []Problem) {
	c := config{docsDir: "docs"}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return c, []Problem{{File: file, Line: 1, Message: "it is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}}
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return c, []Problem{{File: file, Line: 1, Message: "it is no mapping of names to values"}}
	}
	fields := root.Content[0].Content
	var wrong []Problem
	for i := 0; i+1 < len(fields); i += 2 {
		value := fields[i+1]
		switch fields[i].Value {
		case "site_name":
			c.name = value.Value
		case "site_description":
			c.description = value.Value
		case "docs_dir":
			c.docsDir = value.Value
		case "edit_uri":
			c.noEdit = value.Kind == yaml.ScalarNode && value.Value == ""
		case "nav":
			if value.Kind == yaml.SequenceNode {
				c.nav = value
			} else if value.Tag != "!!null" {
				wrong = append(wrong, Problem{File: file, Line: value.Line, Message: "nav is no list of pages"})
			}
		}
	}
	return c, wrong
}

// navReader makes the navigation that mkdocs.yml asks for.
type navReader struct {
	site  *Site
	file  string // mkdocs.yml
	docs  string // the folder of its pages
	count int
	wrong []Problem
	order []int // pages in the order in which they are named

	nested bool // of a site that is included
}

func (n *navReader) bad(node *yaml.Node, format string, args ...any) {
	n.wrong = append(n.wrong, Problem{File: n.file, Line: node.Line, Message: fmt.Sprintf(format, args...)})
}

// room counts an entry, and tells whether one more is taken.
func (n *navReader) room(node *yaml.Node) bool {
	if n.count++; n.count == maxNav+1 {
		n.bad(node, "the navigation has more than %d entries; the others are left out", maxNav)
	}
	return n.count <= maxNav
}

func (n *navReader) items(list *yaml.Node, depth int) []Item {
	if depth > maxDepth {
		n.bad(list, "the navigation is more than %d levels deep; what is below is left out", maxDepth)
		return nil
	}
	var items []Item
	for _, node := range list.Content {
		if !n.room(node) {
			return items
		}
		switch node.Kind {
		case yaml.ScalarNode:
			if item, ok := n.leaf("", node, depth); ok {
				items = append(items, item)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(node.Content); i += 2 {
				title, value := node.Content[i].Value, node.Content[i+1]
				if i > 0 && !n.room(value) {
					return items
				}
				switch value.Kind {
				case yaml.SequenceNode:
					items = append(items, Item{Title: title, Items: n.items(value, depth+1)})
				case yaml.ScalarNode:
					if item, ok := n.leaf(title, value, depth); ok {
						items = append(items, item)
					}
				default:
					n.bad(value, "%q leads to no page", title)
				}
			}
		default:
			n.bad(node, "it names no page")
		}
	}
	return items
}

// leaf is an entry that names a page, an address or another site.
func (n *navReader) leaf(title string, node *yaml.Node, depth int) (Item, bool) {
	target := strings.TrimSpace(node.Value)
	if isAddress(target) {
		if title == "" {
			title = target
		}
		return Item{Title: title, Address: target}, true
	}
	if site, is := includeOf(node); is {
		return n.include(title, site, node, depth)
	}
	file, ok := within(n.docs, strings.TrimPrefix(target, "/"))
	i, known := n.site.byFile[file]
	if !ok || !known {
		n.bad(node, "there is no page %s in %s", target, folderName(n.docs))
		return Item{}, false
	}
	if title != "" {
		n.site.Pages[i].Title = title
	}
	n.order = append(n.order, i)
	page := n.site.Pages[i].Path
	return Item{Title: n.site.Pages[i].Title, Page: &page}, true
}

func isAddress(target string) bool {
	return strings.HasPrefix(target, "https://") || strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "mailto:")
}

func folderName(folder string) string {
	if folder == "" {
		return "the repository"
	}
	return folder
}
