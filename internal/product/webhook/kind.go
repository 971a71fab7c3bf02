package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Spec is what a Webhook document says.
type Spec struct {
	URL          string   `json:"url,omitempty"`
	URLSecretRef string   `json:"urlSecretRef,omitempty"` // instead, where the address is a secret as those of chats are
	SecretRef    string   `json:"secretRef,omitempty"`    // with which bodies are signed
	Labels       []string `json:"labels,omitempty"`       // that policies see
	Slack        *Slack   `json:"slack,omitempty"`
	Shared       bool     `json:"shared,omitempty"` // policies of spaces below use it as well
	Disabled     bool     `json:"disabled,omitempty"`
}

// Slack says for which channels a webhook is Slack's.
type Slack struct {
	Channels []string `json:"channels"` // as policies name them
}

// Bounds of a document.
const (
	mostAddress = 2000
	mostNames   = 100 // labels, and channels
	mostName    = 200 // bytes of one
)

// Rights.
const (
	mayDeclare = "integration:admin"
	mayRead    = "integration:read"
)

// Kinds gives the documents of this room.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Webhook", Plural: "webhooks", Restricted: true, Right: mayDeclare,
		Description: "An address outside, such as that of a chat, to which notification policies send.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := read(d)
			return wrong
		},
		Changed: s.documentChanged,
	}}
}

var secretRef = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,126}(#[A-Za-z0-9][A-Za-z0-9._-]{0,126})?$`)

// read gives what a document says, and what is wrong with it.
func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, at...)...))
	}
	switch {
	case (spec.URL == "") == (spec.URLSecretRef == ""):
		bad("needs url or urlSecretRef, and not both", "write the address, or name the secret that holds it", "url")
	case spec.URL != "" && address(spec.URL) == nil:
		bad("is not an address", "write it like https://chat.example.com/hooks/x, without credentials and #", "url")
	}
	for field, name := range map[string]string{"urlSecretRef": spec.URLSecretRef, "secretRef": spec.SecretRef} {
		if name != "" && !secretRef.MatchString(name) {
			bad(fmt.Sprintf("%.100q is no reference of a secret", name), "write SPACE/NAME, or SPACE/NAME#KEY", field)
		}
	}
	names := map[string][]string{"labels": spec.Labels}
	if spec.Slack != nil {
		if len(spec.Slack.Channels) == 0 {
			bad("names no channel", "write those for whose messages it is, as policies name them", "slack", "channels")
		}
		names["slack"] = spec.Slack.Channels
	}
	for field, all := range names {
		for i, name := range all {
			if name == "" || len(name) > mostName || i >= mostNames {
				bad(fmt.Sprintf("%.40q can't be used", name), fmt.Sprintf("write at most %d, of at most %d bytes", mostNames, mostName), field)
				break
			}
		}
	}
	return spec, wrong
}

// ofSpace tells whether a reference is of a secret of a space. A webhook uses no others, so that nobody has them sent, or
// something signed with them, who may not declare there.
func ofSpace(name, space string) bool { return strings.HasPrefix(name, space+"/") }

// address reads an address that messages can be sent to; nil when it is none.
func address(text string) *url.URL {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(text) > mostAddress {
		return nil
	}
	return u
}

// documentChanged keeps the row of a webhook, in the transaction of its document.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	old, err := getWebhook(ctx, tx, c.Ref.String(), tx.ForUpdate())
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if c.New == nil || err == nil && old.Space != c.Space {
		if err := s.drop(ctx, tx, c.Ref.String()); err != nil {
			return err
		}
	}
	if c.New == nil {
		_, err := tx.Exec(ctx, "DELETE FROM webhooks WHERE ref = $1", c.Ref.String())
		return fault.Wrap(err, "forget webhook %s", c.Ref)
	}
	spec, wrong := read(*c.New)
	for field, name := range map[string]string{"urlSecretRef": spec.URLSecretRef, "secretRef": spec.SecretRef} {
		if name != "" && !ofSpace(name, c.Space) {
			wrong = append(wrong, c.New.At(fmt.Sprintf("%.100q is a secret of another space", name), "put it into space "+c.Space+", whose webhook it is", "spec", field))
		}
	}
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Webhook %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode webhook %s", c.Ref)
	}
	_, err = tx.Exec(ctx, `INSERT INTO webhooks (ref, space, spec, disabled, updated) VALUES ($1, $2, $3, $4, $5)
 ON CONFLICT (ref) DO UPDATE SET space = excluded.space, spec = excluded.spec, disabled = excluded.disabled, updated = excluded.updated`,
		c.Ref.String(), c.Space, string(raw), spec.Disabled, store.Micros(s.Now()))
	return fault.Wrap(err, "keep webhook %s", c.Ref)
}
