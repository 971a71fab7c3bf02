package policy

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// withheld tells whether a policy may not call a built-in function: what reaches out of the evaluation, reads a clock or
// throws dice would make a decision that can't be repeated.
func withheld(name string) bool {
	switch name {
	case "opa.runtime", "rego.parse_module", "time.now_ns", "trace", "rand.intn", "uuid.rfc4122",
		"io.jwt.encode_sign", "io.jwt.encode_sign_raw", "providers.aws.sign_req",
		// One call can ask for more memory than there is, or never end.
		"bits.lsh", "strings.render_template", "json.marshal_with_options", "graph.reachable_paths":
		return true
	}
	return strings.HasPrefix(name, "http.") || strings.HasPrefix(name, "net.lookup")
}

// capabilities gives what policies may use: everything deterministic of this version of OPA, and no host.
func capabilities() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	kept := all.Builtins[:0]
	for _, b := range all.Builtins {
		if !withheld(b.Name) {
			kept = append(kept, b)
		}
	}
	all.Builtins = kept
	all.AllowNet = []string{}
	return all
}

// wrong turns errors of OPA into places in the source.
func wrong(message string, err error) error {
	var several ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &several):
	case errors.As(err, &one):
		several = ast.Errors{one}
	default:
		return fault.Errorf(fault.Invalid, "%s: %w", message, err)
	}
	details := make([]fault.Detail, 0, min(len(several), 20))
	for _, e := range several {
		if len(details) == cap(details) {
			break
		}
		d := fault.Detail{Message: e.Message, Hint: hint(e.Message)}
		if e.Location != nil {
			d.File, d.Line, d.Column = e.Location.File, e.Location.Row, e.Location.Col
		}
		details = append(details, d)
	}
	return fault.At(message, details...)
}

// hint says what to do about the errors that people meet first.
func hint(message string) string {
	name, undefined := strings.CutPrefix(message, "undefined function ")
	switch {
	case undefined && name == "time.now_ns":
		return "policies read no clock, so that they can be replayed; use input.spacelift.request.timestamp_ns"
	case undefined && withheld(name):
		return name + " is not available: a policy decides from its input alone, so that it can be replayed"
	case strings.Contains(message, "keyword is required"):
		return "write it in the syntax of Rego version 1, such as: deny contains message if { … }"
	}
	return ""
}
