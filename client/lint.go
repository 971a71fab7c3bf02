package client

// LintReport is what is to be said of a document that can be used as it is; one that can't be gives an Invalid error with
// places. POST /workflows/lint and POST /templates/lint; whoever is signed in.
type LintReport struct {
	Warnings []LintWarning `json:"warnings"`
}

// LintWarning points at something that has no effect, or not the one that it seems to have.
type LintWarning struct {
	Location string `json:"location" doc:"file:line:column field, as far as it is known."`
	Message  string `json:"message"`
}
