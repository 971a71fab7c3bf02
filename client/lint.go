package client

// LintReport is what is to be said of a document that can be used as it is.
type LintReport struct {
	Warnings []LintWarning `json:"warnings"`
}

// LintWarning points at something that has no effect, or not the one that it seems to have.
type LintWarning struct {
	Location string `json:"location" doc:"file:line:column field, as far as it is known."`
	Message  string `json:"message"`
}
