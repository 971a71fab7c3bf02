package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// multiplies keeps what the variables of a compiled module are made of. OPA writes a value that names variables out in
// one go, however often each occurs: x := [y, y] forty times over would be over with the machine.
type multiplies struct {
	made  map[ast.Var][]*ast.Term
	sizes map[ast.Var]float64
}

// checkValues refuses a compiled module in whose bodies variables multiply to more values than a policy may have.
func checkValues(module *ast.Module) error {
	m := multiplies{made: map[ast.Var][]*ast.Term{}, sizes: map[ast.Var]float64{}}
	ast.WalkExprs(module, func(e *ast.Expr) bool {
		if e.IsEquality() {
			m.unify(e.Operand(0), e.Operand(1))
		}
		return false
	})
	var found []fault.Detail
	ast.WalkExprs(module, func(e *ast.Expr) bool {
		if len(found) > 0 || m.sizeOf(e) <= maxItems {
			return false
		}
		d := fault.Detail{File: "policy.rego", Message: "it makes too many values within values"}
		if e.Location != nil {
			d.Line, d.Column = e.Location.Row, e.Location.Col
		}
		found = append(found, d)
		return true
	})
	if len(found) > 0 {
		return fault.At("the policy makes values that are too large", found...)
	}
	return nil
}

func (m *multiplies) unify(a, b *ast.Term) {
	if x, ok := a.Value.(ast.Var); ok {
		m.made[x] = append(m.made[x], b)
	}
	if y, ok := b.Value.(ast.Var); ok {
		m.made[y] = append(m.made[y], a)
	}
	switch x := a.Value.(type) {
	case *ast.Array:
		if y, ok := b.Value.(*ast.Array); ok && x.Len() == y.Len() {
			for i := range x.Len() {
				m.unify(x.Elem(i), y.Elem(i))
			}
		}
	case ast.Object:
		if y, ok := b.Value.(ast.Object); ok {
			x.Foreach(func(k, v *ast.Term) {
				if other := y.Get(k); other != nil {
					m.unify(v, other)
				}
			})
		}
	}
}

// sizeOf counts the values that a term or expression has when it is written out.
func (m *multiplies) sizeOf(in any) float64 {
	total := 0.0
	ast.WalkTerms(in, func(t *ast.Term) bool {
		total++
		switch v := t.Value.(type) {
		case ast.Var:
			total += m.sizeOfVar(v)
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true // its bodies are looked at on their own, and what it gives is written out already
		}
		return false
	})
	return total
}

func (m *multiplies) sizeOfVar(v ast.Var) float64 {
	size, known := m.sizes[v]
	if known {
		return size
	}
	m.sizes[v] = 0 // while it is reckoned, for variables that are made of one another
	for _, t := range m.made[v] {
		size = max(size, m.sizeOf(t))
	}
	m.sizes[v] = size
	return size
}
