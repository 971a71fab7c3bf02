package server

import (
	"path/filepath"
	"testing"
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
