package worker

import (
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// IDToken is the wish of a job for a token by which a cloud knows the step (OpenID Connect). It is made when the step is
// leased; the job holds what it is to say.
type IDToken struct {
	Audience string            `json:"audience"`
	Subject  string            `json:"subject"`
	Claims   map[string]string `json:"claims,omitempty"`
}

// IDTokenFile is where a step finds its token besides the environment, as a file that programs of clouds can be pointed to.
const IDTokenFile = "/work/roadbed.oidc"

const idTokenName = "roadbed.oidc" // below /work

// idTokenVariables hold the token. Spacelift: SPACELIFT_OIDC_TOKEN.
var idTokenVariables = [...]string{"ROADBED_OIDC_TOKEN", "SPACELIFT_OIDC_TOKEN"}

// giveIDToken puts a token into a step's environment.
func giveIDToken(l Lease, s *execute.Spec) {
	if l.IDToken == "" {
		return
	}
	for _, name := range idTokenVariables {
		s.Env[name] = l.IDToken
	}
	s.Env["ROADBED_OIDC_TOKEN_FILE"] = IDTokenFile
}

// idTokenFile is the file of a job that asks for a token.
func idTokenFile(l Lease) []File {
	if l.IDToken == "" {
		return nil
	}
	return []File{{Path: idTokenName, Mode: 0o600, Content: l.IDToken}}
}
