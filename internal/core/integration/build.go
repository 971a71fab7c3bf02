package integration

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/github"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// credentialRefs names the secrets that it takes to speak to the forge.
func (s Spec) credentialRefs() []string {
	if s.App != nil {
		return []string{s.App.PrivateKey.SecretRef}
	}
	return []string{s.Token.SecretRef}
}

// webhookRefs names the secrets that deliveries may be signed with.
func (s Spec) webhookRefs() []string {
	switch w := s.Webhook; {
	case w == nil:
		return nil
	case w.PreviousSecretRef == "":
		return []string{w.SecretRef}
	default:
		return []string{w.SecretRef, w.PreviousSecretRef}
	}
}

// hooksOf gives what reads the webhooks of a kind of forge.
func hooksOf(kind string) forge.Hooks {
	switch kind {
	case GitHub:
		return github.Hooks{}
	case GitLab:
		return gitlab.Hooks{}
	}
	return gitea.Hooks{}
}

// build makes the body for a forge. Nothing is asked yet.
func (s *Service) build(spec Spec, values map[string]string) (forge.Forge, error) {
	if spec.App != nil {
		return github.New(github.Options{URL: spec.URL, API: spec.API, Base: s.Base, Now: s.Now, Pause: s.Pause, App: &github.App{
			ID: string(spec.App.ID), Key: []byte(values[spec.App.PrivateKey.SecretRef]), Installation: spec.App.Installation, Account: spec.App.Account,
		}})
	}
	token, err := asToken(spec.Token.SecretRef, values[spec.Token.SecretRef])
	if err != nil {
		return nil, err
	}
	switch spec.Forge {
	case GitHub:
		return github.New(github.Options{URL: spec.URL, API: spec.API, Token: token, Base: s.Base, Now: s.Now, Pause: s.Pause})
	case GitLab:
		return gitlab.New(gitlab.Options{URL: spec.URL, API: spec.API, Token: gitlab.Fixed(token), Base: s.Base, Now: s.Now, Pause: s.Pause})
	}
	return gitea.New(gitea.Options{URL: spec.URL, API: spec.API, Token: gitea.Fixed(token), Base: s.Base, Now: s.Now, Pause: s.Pause})
}

// asToken takes the line break away that a file ends with; what can't stand in a header is no token.
func asToken(ref, value string) (string, error) {
	token := strings.TrimSpace(value)
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fault.Errorf(fault.Invalid, "secret %s is not a token: it has spaces or other characters; set it again with `roadbed secret put`", ref)
	}
	return token, nil
}

// hookSecrets gives what deliveries may be signed with.
func hookSecrets(spec Spec, values map[string]string) ([]string, error) {
	refs := spec.webhookRefs()
	if len(refs) == 0 {
		return nil, fault.Errorf(fault.NotFound, "it takes no webhooks; name a secret for them in its spec.webhook")
	}
	secrets := make([]string, 0, len(refs))
	for _, r := range refs {
		value := strings.TrimSpace(values[r])
		if value == "" || len(value) > maxHookSecret {
			return nil, fault.Errorf(fault.Invalid, "secret %s can't sign webhooks: it has %d bytes, and 1 to %d are taken; set it again with `roadbed secret put`", r, len(value), maxHookSecret)
		}
		secrets = append(secrets, value)
	}
	return secrets, nil
}
