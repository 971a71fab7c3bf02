package policy

import "testing"

func TestWhatIsWrittenForSpacelift(t *testing.T) {
	t.Parallel()
	for rego, want := range map[string]bool{
		"package spacelift\napprove { true }":                            true,
		"# package roadbed.approval\n\n  package   spacelift # of old\n": true,
		"package roadbed.approval\n# package spacelift":                  false,
		"package roadbed\nx := `\npackage spacelift`":                    false,
		"package spacelift.more":                                         false,
		"package":                                                        false,
		"":                                                               false,
	} {
		if inSpacelift(rego) != want {
			t.Errorf("%q is written for Spacelift: %t", rego, !want)
		}
	}
}
