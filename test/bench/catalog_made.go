package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// generated is a catalog as companies have them: services with owners in nested groups, systems, APIs, resources,
// dependencies, tags and annotations. All is in the namespace made.
type generated struct {
	entities int
	groups   int
	files    []string
}

// generate writes n entities into files of a hundred each, and a file that names them.
func generate(dir string, n int) (generated, error) {
	g := generated{entities: n, groups: max(n/500, 10)}
	write := func(file, text string) error {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(text), 0o600)
	}
	const index = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: all\nspec:\n  targets:\n    - ./org.yaml\n    - ./parts/*/*.yaml\n"
	if err := write("catalog-info.yaml", index); err != nil {
		return g, err
	}
	var b strings.Builder
	for i := range g.groups {
		fmt.Fprintf(&b, "---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata:\n  name: group-%04d\n  description: The people of part %d\nspec:\n  type: team\n  children: []\n", i, i)
		if i > 0 { // a tree in which each has up to eight below it
			fmt.Fprintf(&b, "  parent: group-%04d\n", (i-1)/8)
		}
	}
	if err := write("org.yaml", b.String()); err != nil {
		return g, err
	}
	for f := range (n + perFile - 1) / perFile {
		file := fmt.Sprintf("parts/%03d/%05d.yaml", f/100, f)
		g.files = append(g.files, file)
		if err := write(file, g.text(f, -1)); err != nil {
			return g, err
		}
	}
	return g, nil
}

// text gives a file; round says which change of it, -1 that it is the first.
func (g generated) text(file, round int) string {
	var b strings.Builder
	for i := file * perFile; i < min((file+1)*perFile, g.entities); i++ {
		description := fmt.Sprintf("Does the work of part %d for team %d", i, i%g.groups)
		if round >= 0 && i == file*perFile+changedAt {
			description = g.description(round)
		}
		g.document(&b, i, description)
	}
	return b.String()
}

var (
	kindsMade = [20]string{0: "system", 1: "api", 2: "api", 3: "resource", 4: "resource"} // all others are components
	typesMade = map[string][]string{"component": {"service", "website", "library"}, "api": {"openapi", "grpc"}, "resource": {"database", "bucket"}}
	wordsMade = []string{"billing", "search", "login", "orders", "stock", "mail", "maps", "audio", "video", "ledger", "quota", "cart"}
)

func (g generated) kind(i int) string {
	if k := kindsMade[i%len(kindsMade)]; k != "" {
		return k
	}
	return "component"
}

func (g generated) entity(i int) string {
	return fmt.Sprintf("%s-%06d", wordsMade[i%len(wordsMade)], i)
}
func (g generated) path(i int) string {
	i %= g.entities
	return g.kind(i) + "/made/" + g.entity(i)
}

func (g generated) ref(i int) string   { return g.kind(i) + ":made/" + g.entity(i) }
func (g generated) owner(i int) string { return fmt.Sprintf("group:default/group-%04d", i*31%g.groups) }
func (g generated) words(i int) string {
	return wordsMade[i%len(wordsMade)] + " " + fmt.Sprint(i*997%g.entities)
}

func (g generated) document(b *strings.Builder, i int, description string) {
	kind, block := g.kind(i), i/len(kindsMade)*len(kindsMade)
	named := map[string]string{"system": "System", "api": "API", "resource": "Resource", "component": "Component"}[kind]
	fmt.Fprintf(b, "---\napiVersion: backstage.io/v1alpha1\nkind: %s\nmetadata:\n  name: %s\n  namespace: made\n  title: %s %d\n  description: %s\n",
		named, g.entity(i), strings.ToUpper(wordsMade[i%len(wordsMade)]), i, description)
	fmt.Fprintf(b, "  annotations:\n    backstage.io/techdocs-ref: dir:.\n    example.com/pager: \"%d\"\n  tags:\n    - %s\n    - tier-%d\n    - go\n",
		i*7919%100_000, wordsMade[(i+5)%len(wordsMade)], i%4)
	if i%3 == 0 {
		fmt.Fprintf(b, "  links:\n    - url: https://example.com/boards/%d\n      title: Board\n", i)
	}
	fmt.Fprintf(b, "spec:\n  owner: %s\n", g.owner(i))
	if types := typesMade[kind]; types != nil {
		fmt.Fprintf(b, "  type: %s\n", types[i%len(types)])
	}
	if kind != "system" {
		fmt.Fprintf(b, "  system: %s\n", g.entity(block))
	}
	if kind == "component" || kind == "api" {
		fmt.Fprintf(b, "  lifecycle: production\n")
	}
	if kind == "api" {
		fmt.Fprintf(b, "  definition: |\n    openapi: 3.0.0\n    info:\n      title: %s\n      version: \"1\"\n", g.entity(i))
	}
	if kind == "component" {
		if block+1 < g.entities {
			fmt.Fprintf(b, "  providesApis:\n    - %s\n", g.entity(block+1))
		}
		other := i * 7 % g.entities
		fmt.Fprintf(b, "  dependsOn:\n    - %s\n    - %s\n", g.ref(other), g.ref((other+3)%g.entities))
	}
}

// changedAt is which entity of a file is changed, a component.
const changedAt = 7

// changed gives a file and its text after a change of one of its entities.
func (g generated) changed(round int) (file, text string) {
	f := round * 37 % len(g.files)
	return g.files[f], g.text(f, round)
}

func (g generated) changedPath(round int) string {
	return g.path(round*37%len(g.files)*perFile + changedAt)
}

func (g generated) description(round int) string { return fmt.Sprintf("Changed by push %d", round) }
