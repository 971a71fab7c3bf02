package docs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what a navigation brings in.
const (
	maxIncluded      = 200     // sites
	includedConfigs  = 4 << 20 // bytes of their configurations together
	maxIncludedNames = 200     // bytes of what is in front of their pages
)

// included is a site below the folder of another, whose pages the navigation of that one brings in by '!include ./PATH/mkdocs.yml',
// as MkDocs' plugin for monorepos does.
type included struct {
	config
	file  string // its configuration
	docs  string // the folder of its pages
	mount string // what is in front of the paths of its pages
	pages []string
	wrong string // why nothing of it is shown
	named bool   // the navigation has it already
}

// includeOf gives what a value of a navigation includes.
func includeOf(node *yaml.Node) (target string, ok bool) {
	if node.Tag == "!include" {
		return strings.TrimSpace(node.Value), true
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(node.Value), "!include")
	if !ok || rest != "" && !strings.ContainsAny(rest[:1], " \t") {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// includesOf gives what a navigation includes, each once, as far as it is read.
func includesOf(node *yaml.Node, depth int) (targets []string) {
	if depth > 2*maxDepth+1 {
		return nil
	}
	for i, part := range node.Content {
		switch {
		case node.Kind == yaml.MappingNode && i%2 == 0: // a title
		case part.Kind == yaml.ScalarNode:
			if target, ok := includeOf(part); ok && !slices.Contains(targets, target) {
				targets = append(targets, target)
			}
		default:
			for _, target := range includesOf(part, depth+1) {
				if !slices.Contains(targets, target) {
					targets = append(targets, target)
				}
			}
		}
		if len(targets) > maxIncluded {
			return targets[:maxIncluded+1]
		}
	}
	return targets
}

// includeKey gives the same for each way to write where a site is.
func (site *Site) includeKey(target string) string {
	if file, ok := within(folderOf(site.Config), target); ok {
		return file
	}
	return target
}

// include adds the pages of the sites that a navigation includes. Nothing is read that is not below the folder of the site.
func (site *Site) include(ctx context.Context, t tree, c config, files []string) error {
	if c.nav == nil {
		return nil
	}
	targets := includesOf(c.nav, 0)
	if len(targets) == 0 {
		return nil
	}
	if err := site.askIncluded(ctx, t, targets); err != nil {
		return err
	}
	site.included = map[string]*included{}
	var order []*included
	var configs []string
	for _, target := range targets {
		file, ok := within(folderOf(site.Config), target)
		key := site.includeKey(target)
		if site.included[key] != nil {
			continue
		}
		inc := &included{file: file}
		site.included[key] = inc
		order = append(order, inc)
		switch {
		case len(order) > maxIncluded:
			inc.wrong = "the navigation includes more than 200 sites; this one and those after it are left out"
		case !ok || !inFolder(site.root, file):
			inc.wrong = "it leads out of the folder of " + site.Config
		case !site.files[file] || file == site.Config:
			inc.wrong = "there is no file " + file + " to include"
		default:
			configs = append(configs, file)
		}
	}
	found, err := t.read(ctx, configs, includedConfigs)
	if fault.Is(err, fault.TooLarge) {
		for _, inc := range order {
			inc.wrong = cmp.Or(inc.wrong, "the sites that are included have configurations of more than 4 MiB together")
		}
		err = nil
	}
	if err != nil {
		return err
	}
	for _, inc := range order {
		if inc.wrong != "" {
			continue
		}
		if err := site.mount(ctx, t, inc, found[inc.file], files); err != nil {
			return err
		}
	}
	return nil
}

// askIncluded finds out which of the sites that a navigation includes are there, where that is not known.
func (site *Site) askIncluded(ctx context.Context, t tree, targets []string) error {
	if !site.large {
		return nil
	}
	var files []string
	for _, target := range targets[:min(len(targets), maxIncluded)] {
		file, ok := within(folderOf(site.Config), target)
		if _, err := git.CheckPath(file); ok && err == nil && inFolder(site.root, file) {
			files = append(files, file)
		}
	}
	_, err := site.ask(ctx, t, files)
	return err
}

// mount adds the pages of an included site.
func (site *Site) mount(ctx context.Context, t tree, inc *included, data []byte, files []string) error {
	var wrong []Problem
	inc.config, wrong = readConfig(inc.file, data)
	site.Problems = append(site.Problems, wrong...)
	folder := folderOf(inc.file)
	docs, ok := within(folder, inc.docsDir)
	if !ok || folder != "" && docs != folder && !strings.HasPrefix(docs, folder+"/") {
		inc.wrong = "its docs_dir " + inc.docsDir + " leads out of its folder"
		return nil
	}
	inc.docs, inc.mount = docs, mountOf(inc.name, folder)
	if site.large {
		var err error
		if files, err = site.learn(ctx, t, docs); fault.Is(err, fault.TooLarge) || fault.Is(err, fault.Invalid) {
			inc.wrong = "its folder " + folderName(docs) + " can't be listed: " + fault.Message(err)
			return nil
		}
		if errors.Is(err, errKnown) {
			inc.wrong = fmt.Sprintf("the sites that are included have too many files together, more than %d; name a folder that has little but pages as docs_dir in %s, or give it to an entity of its own (techdocs-ref)", maxKnown, inc.file)
			return nil
		}
		if err != nil {
			return err
		}
	}
	below := docs + "/"
	if docs == "" {
		below = ""
	}
	for _, f := range site.pagesBelow(files, below) {
		if _, known := site.byFile[f]; known {
			inc.pages = append(inc.pages, f)
			continue
		}
		at := path.Join(inc.mount, pagePath(f[len(below):]))
		if _, taken := site.byPath[at]; taken {
			continue
		}
		if len(site.Pages) >= maxPages {
			site.Problems = append(site.Problems, Problem{File: inc.file, Message: "the site has more than 2000 pages with those that it includes; those at the end are left out"})
			break
		}
		site.add(PageRef{Path: at, File: f})
		inc.pages = append(inc.pages, f)
	}
	if len(inc.pages) == 0 {
		inc.wrong = "there are no pages in " + folderName(docs)
	}
	return nil
}

var plainMount = regexp.MustCompile(`^[A-Za-z0-9_/-]+$`)

// mountOf gives what is in front of the pages of an included site: its name, as far as an address may have it.
func mountOf(name, folder string) string {
	if name == "" {
		name = path.Base(folder)
	}
	if !plainMount.MatchString(name) {
		name = strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r < 0x80
		}), "-")
	}
	if name = strings.Trim(path.Clean("/"+cut(name, maxIncludedNames)), "/"); name == "" {
		return "site"
	}
	return name
}

// include gives the entry of a site that is included.
func (n *navReader) include(title, target string, node *yaml.Node, depth int) (Item, bool) {
	inc := n.site.included[n.site.includeKey(target)]
	switch {
	case n.nested:
		n.bad(node, "%.200s: a site that is included includes no other; name it in %s", target, n.site.Config)
		return Item{}, false
	case inc == nil:
		n.bad(node, "%.200s is not included: the navigation includes more than %d sites", target, maxIncluded)
		return Item{}, false
	case inc.wrong != "":
		n.bad(node, "%.200s is not included: %s", target, inc.wrong)
		return Item{}, false
	case inc.named:
		n.bad(node, "%.200s is included already", target)
		return Item{}, false
	case n.count >= maxNav:
		n.bad(node, "%.200s is not included: the navigation has %d entries before it, and no more are taken", target, maxNav)
		return Item{}, false
	}
	inc.named = true
	item := Item{Title: title}
	if title == "" {
		if item.Title = inc.name; item.Title == "" {
			item.Title = humanized(folderOf(inc.file))
		}
	}
	if inc.nav != nil {
		of := navReader{site: n.site, file: inc.file, docs: inc.docs, nested: true, count: n.count}
		item.Items = of.items(inc.nav, depth+1)
		n.count, n.wrong, n.order = of.count, append(n.wrong, of.wrong...), append(n.order, of.order...)
	}
	if len(item.Items) == 0 {
		shown := inc.pages[:max(0, min(len(inc.pages), maxNav-n.count))]
		if len(shown) < len(inc.pages) {
			n.bad(node, "the navigation has more than %d entries with the pages of %.200s; those at the end are left out", maxNav, target)
		}
		pages := make([]PageRef, len(shown))
		for i, f := range shown {
			n.order = append(n.order, n.site.byFile[f])
			pages[i] = n.site.Pages[n.site.byFile[f]]
		}
		n.count += len(pages)
		item.Items = naturally(pages, func(p PageRef) string { return strings.TrimPrefix(p.File, inc.docs+"/") })
	}
	return item, true
}
