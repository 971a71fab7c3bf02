package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
)

// lentRules are the names by which Spacelift lends plan policies the resources of a plan, with the actions that each has.
func lentRules() map[string]string {
	return map[string]string{
		"affected_resources":  `some action in ["create", "update", "delete"]; action in resource.change.actions`,
		"created_resources":   `"create" in resource.change.actions`,
		"deleted_resources":   `"delete" in resource.change.actions`,
		"recreated_resources": `"create" in resource.change.actions; "delete" in resource.change.actions`,
		"updated_resources":   `"update" in resource.change.actions`,
	}
}

// lend adds the rules that modules name and don't have to each of their packages.
func lend(modules map[string]*ast.Module) {
	had, named := map[string][]string{}, map[string][]string{}
	for _, m := range modules {
		in := m.Package.Path.String()
		had[in] = append(had[in], ruleNames(m)...)
		ast.WalkVars(m, func(v ast.Var) bool {
			if _, ours := lentRules()[string(v)]; ours {
				named[in] = append(named[in], string(v))
			}
			return false
		})
	}
	for in, names := range named {
		slices.Sort(names)
		var text strings.Builder
		for _, name := range slices.Compact(names) {
			if !slices.Contains(had[in], name) {
				fmt.Fprintf(&text, "%s contains resource if { some resource in input.terraform.resource_changes; %s }\n", name, lentRules()[name])
			}
		}
		if text.Len() == 0 {
			continue
		}
		file := lentFile + in
		m := ast.MustParseModuleWithOpts("package "+strings.TrimPrefix(in, "data.")+"\n"+text.String(), ast.ParserOptions{RegoVersion: ast.RegoV1})
		modules[file] = m
	}
}

// lentFile begins the names of modules that are lent, which nobody wrote.
const lentFile = "lent:"

// sanitizedFunction is Spacelift's sanitized(text): the end of its SHA-256, with which it takes the place of secrets. Here
// secrets are taken out whole, so that nobody can guess them by it.
func sanitizedFunction() *ast.Builtin {
	return &ast.Builtin{Name: "sanitized", Decl: types.NewFunction(types.Args(types.S), types.S)}
}

func sanitized(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	s, ok := operands[0].Value.(ast.String)
	if !ok {
		return nil // undefined, as functions are of what they don't take
	}
	sum := sha256.Sum256([]byte(s))
	return iter(ast.StringTerm(hex.EncodeToString(sum[:])[56:]))
}
