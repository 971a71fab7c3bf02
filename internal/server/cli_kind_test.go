package server

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

const declaredKind = `apiVersion: roadbed.dev/v1
kind: Kind
metadata: {name: dataset}
spec:
  group: acme.example
  versions: [v1]
  names: {kind: Dataset}
  description: Data that teams publish.
  schema: {required: [tier], properties: {tier: {enum: [gold, silver]}}}
  relations: [{field: spec.from, type: derivedFrom, inverse: derivedTo, kind: Dataset}]
---
{apiVersion: acme.example/v1, kind: Dataset, metadata: {name: raw}, spec: {tier: gold}}
---
{apiVersion: acme.example/v1, kind: Dataset, metadata: {name: sales}, spec: {tier: gold, from: [raw]}}
`

// TestADeclaredKindAtTheTerminal is declared, used, and deleted when nothing is of it.
func TestADeclaredKindAtTheTerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	dir := t.TempDir()
	all, wrong := filepath.Join(dir, "all.yaml"), filepath.Join(dir, "wrong.yaml")
	write(t, all, declaredKind)
	write(t, wrong, "apiVersion: acme.example/v1\nkind: Dataset\nmetadata: {name: odd}\nspec: {tier: tin}\n")
	sayAll(t, []said{
		{"kinds", 0, "Component"},
		{"get dataset", 4, "no kind"},
		{"diff -f " + all, 0, "dataset:default/sales"},
		{"apply -f " + all, 0, "created  dataset:default/sales"},
		{"kinds", 0, "kind:default/dataset"},
		{"get datasets", 0, "raw"},
		{"describe dataset sales", 0, "dataset:default/raw"},
		{"describe dataset raw", 0, "derivedTo"},
		{"graph dataset sales", 0, "raw"},
		{"apply -f " + wrong, 1, "spec.tier"},
		{"delete kind dataset", 5, "2 entities of the kind dataset"},
		{"delete -f " + all, 0, "deleted  kind:default/dataset"},
		{"get dataset", 4, "no kind"},
	})
}

// TestRulesOfLocationsAtTheTerminal are shown, set for a location and for a space, and kept apart.
func TestRulesOfLocationsAtTheTerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	sayAll(t, []said{{"repo create default/shop", 0, "default/shop"}, {"location add default/shop", 0, "any kind that is not restricted"}})
	_, out, _ := say("location list -o json")
	id := regexp.MustCompile(`loc_[0-9a-z]+`).FindString(out)
	sayAll(t, []said{
		{"location rules", 2, "give the ID"},
		{"location rules " + id + " --space default", 2, "give the ID"},
		{"location rules " + id + " --kind Component --any", 2, "exclude"},
		{"location rules " + id + " --kind Nothing", 1, "there is no kind"},
		{"location rules " + id + " --orphans perhaps", 1, "delete"},
		{"location rules " + id + " --kind Component,API", 0, "Component, API"},
		{"location rules --space default --orphans keep", 0, "keep"},
		{"location show " + id, 0, "API, Component"},
		{"location show " + id, 0, "keep"},
		{"location rules " + id + " --any --orphans delete", 0, "delete"},
		{"location show " + id, 0, "any kind that is not restricted"},
		{"location rules --space nowhere", 4, "no space"},
		{"location trust " + id, 2, "--none"},
		{"location trust " + id + " --kind Group --none", 2, "--none"},
		{"location trust " + id + " --kind Component", 1, "not a restricted kind"},
		{"location trust " + id + " --kind User,Group", 0, "trusted for  Group, User"},
		{"location trust " + id + " --none", 0, "trusted for  -"},
	})
}

// TestAnAddressIsAddedAtTheTerminal is looked at with --dry-run first; what failed is then found in the list.
func TestAnAddressIsAddedAtTheTerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	sayAll(t, []said{{"repo create default/shop", 0, "default/shop"}})
	if _, err := h.Repositories.CommitFiles(actor.AsSystem(t.Context()), "default/shop", git.CommitRequest{
		Branch: "main", Message: "first", Changes: []git.FileChange{{Path: "catalog-info.yaml", Content: []byte(goodTill)}, {Path: "bad.yaml", Content: []byte(badTill)}},
	}); err != nil {
		t.Fatal(err)
	}
	address := "/git/default/shop"
	sayAll(t, []said{
		{"location add " + address + " --path x.yaml", 2, "leave --path and --ref out"},
		{"location add " + address + " --dry-run", 0, "not registered yet"},
		{"location add " + address + " --dry-run", 0, "component:default/till"},
		{"location add " + address + "/bad.yaml --dry-run", 0, "bad.yaml:1: spec"},
		{"location add default/shop --dry-run", 0, "default/shop:catalog-info.yaml"},
		{"location list --repo default/shop", 0, "no locations that match"},
		{"location list --text default/shop", 0, "no locations that match"},
		{"location add " + address, 0, "component:default/till"},
		{"location add " + address + "/bad.yaml", 0, "bad.yaml:1: spec"},
		{"location list --text default/shop:cat", 0, "catalog-info.yaml"},
	})
	if _, out, _ := say("location list --failed"); !strings.Contains(out, "bad.yaml") || strings.Contains(out, "catalog-info.yaml") {
		t.Errorf("those that failed are\n%s", out)
	}
}
