package integration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Kinds of forges.
const (
	GitHub = "github"
	GitLab = "gitlab"
	Gitea  = "gitea"
)

// Spec is what an Integration document says.
type Spec struct {
	Forge   string     `json:"forge"`
	URL     string     `json:"url,omitempty"` // as people open it
	API     string     `json:"api,omitempty"` // "" is where the forge has it for URL
	Token   *Reference `json:"token,omitempty"`
	App     *App       `json:"app,omitempty"`
	Webhook *Webhook   `json:"webhook,omitempty"`
	Owners  []string   `json:"owners,omitempty"` // organizations that it is for; none: all that the credentials see
	Poll    Poll       `json:"poll,omitzero"`
}

// Reference names a secret.
type Reference struct {
	SecretRef string `json:"secretRef"` // SPACE/NAME or SPACE/NAME#KEY
}

// App are the credentials of a GitHub App.
type App struct {
	ID           Text      `json:"id"` // or its client id
	Installation int64     `json:"installation,omitempty"`
	Account      string    `json:"account,omitempty"` // instead of Installation
	PrivateKey   Reference `json:"privateKey"`
}

// Text is text that may be written as a number.
type Text string

// UnmarshalJSON takes a text or a whole number.
func (t *Text) UnmarshalJSON(raw []byte) error {
	if _, err := strconv.ParseUint(string(raw), 10, 63); err == nil {
		*t = Text(raw)
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return fault.Errorf(fault.Invalid, "must be text or a number")
	}
	*t = Text(s)
	return nil
}

// Webhook says what deliveries are signed with.
type Webhook struct {
	SecretRef string `json:"secretRef"`
	// PreviousSecretRef is still taken while the forge is told the new secret.
	PreviousSecretRef string `json:"previousSecretRef,omitempty"`
}

// Poll says how often the forge is asked where no webhook tells.
type Poll struct {
	Interval time.Duration `json:"interval,omitempty"`
}

// Bounds of a document.
const (
	minPoll, usualPoll, maxPoll = time.Minute, 5 * time.Minute, 24 * time.Hour
	maxOwners                   = 20
	maxAddress                  = 500
	maxHookSecret               = 64 // bytes, of which all forges take as many
)

// Right is what it takes to declare an integration, beside the usual rights to documents.
const Right = "integration:admin"

// Kinds gives the documents of this room.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Integration", Plural: "integrations", Restricted: true, Right: Right,
		Description: "An outside forge (GitHub, GitLab, Gitea) with the credentials by which the platform works with it.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := read(d)
			return wrong
		},
		Changed: s.documentChanged,
	}}
}

var (
	secretRef = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,126}(#[A-Za-z0-9][A-Za-z0-9._-]{0,126})?$`)
	owner     = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*$`)
	appID     = regexp.MustCompile(`^[A-Za-z0-9.]{1,100}$`)
)

// public gives the address of a forge's own service; "" for one without.
func public(forge string) string {
	switch forge {
	case GitHub:
		return "https://github.com"
	case GitLab:
		return "https://gitlab.com"
	}
	return ""
}

// read gives what a document says, completed, and what is wrong with it.
func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, at...)...))
	}
	switch spec.Forge {
	case GitHub, GitLab, Gitea:
	case "":
		bad("is missing", "write github, gitlab or gitea", "forge")
	default:
		bad(fmt.Sprintf("%.100q is not a forge that is known", spec.Forge), "write github, gitlab or gitea", "forge")
	}
	if spec.URL == "" {
		spec.URL = public(spec.Forge)
	}
	if spec.URL == "" && spec.Forge == Gitea {
		bad("is missing", "write the address at which people open it, such as https://git.example.com", "url")
	}
	for field, address := range map[string]*string{"url": &spec.URL, "api": &spec.API} {
		if clean, ok := cleanAddress(*address); ok {
			*address = clean
		} else {
			bad(fmt.Sprintf("%.200q is not an address", *address), "write it like https://git.example.com, without credentials, ? or #", field)
		}
	}
	spec.credentials(bad)
	if w := spec.Webhook; w != nil {
		checkRef(bad, w.SecretRef, "webhook", "secretRef")
		if w.PreviousSecretRef != "" {
			checkRef(bad, w.PreviousSecretRef, "webhook", "previousSecretRef")
		}
		if w.SecretRef != "" && w.SecretRef == w.PreviousSecretRef {
			bad("is the same secret as secretRef", "leave it out", "webhook", "previousSecretRef")
		}
	}
	spec.checkOwners(bad)
	if spec.Poll.Interval == 0 {
		spec.Poll.Interval = usualPoll
	}
	if i := spec.Poll.Interval; i < minPoll || i > maxPoll {
		bad(fmt.Sprintf("%s is out of range", i), "write 1m to 24h", "poll", "interval")
	}
	slices.SortFunc(wrong, func(a, b fault.Detail) int { return strings.Compare(a.Field, b.Field) })
	return spec, wrong
}

// credentials checks that there is one way to sign in.
func (s *Spec) credentials(bad func(message, hint string, at ...string)) {
	switch {
	case s.Token != nil && s.App != nil:
		bad("has both token and app", "keep one of them", "app")
	case s.Token == nil && s.App == nil:
		hint := "write token: {secretRef: SPACE/NAME}"
		if s.Forge == GitHub {
			hint += ", or app"
		}
		bad("has no credentials", hint)
	case s.Token != nil:
		checkRef(bad, s.Token.SecretRef, "token", "secretRef")
	case s.Forge != GitHub:
		bad("only GitHub has apps", "write token: {secretRef: SPACE/NAME}", "app")
	default:
		a := s.App
		if !appID.MatchString(string(a.ID)) {
			bad(fmt.Sprintf("%.100q is not the id of an app", string(a.ID)), "write the App ID that the app's settings show", "app", "id")
		}
		switch {
		case a.Installation < 0:
			bad(fmt.Sprintf("%d is not an installation", a.Installation), "write the number at the end of the installation's address", "app", "installation")
		case a.Installation != 0 && a.Account != "":
			bad("has both installation and account", "keep one of them", "app", "account")
		case a.Account != "" && !owner.MatchString(a.Account):
			bad(fmt.Sprintf("%.100q is not an account", a.Account), "write the organization that the app is installed on", "app", "account")
		}
		checkRef(bad, a.PrivateKey.SecretRef, "app", "privateKey", "secretRef")
	}
}

func (s *Spec) checkOwners(bad func(message, hint string, at ...string)) {
	if len(s.Owners) > maxOwners {
		bad(fmt.Sprintf("has more than %d entries", maxOwners), "declare further integrations for the others", "owners")
		return
	}
	for i, o := range s.Owners {
		switch {
		case len(o) > 255, !owner.MatchString(o), s.Forge != GitLab && strings.Contains(o, "/"):
			bad(fmt.Sprintf("%.100q is not an organization", o), "write its name as it stands in the addresses of its repositories", "owners", strconv.Itoa(i))
		case slices.ContainsFunc(s.Owners[:i], func(other string) bool { return strings.EqualFold(other, o) }):
			bad(fmt.Sprintf("%q is there twice", o), "leave it out", "owners", strconv.Itoa(i))
		}
	}
}

func checkRef(bad func(message, hint string, at ...string), ref string, at ...string) {
	switch {
	case ref == "":
		bad("is missing", "write SPACE/NAME of a secret, which `roadbed secret put` sets", at...)
	case !secretRef.MatchString(ref): // which may be the secret itself, so it is not repeated
		bad("does not name a secret", "write SPACE/NAME of a secret, which `roadbed secret put` sets", at...)
	}
}

// cleanAddress gives an address without a slash at its end; "" is taken.
func cleanAddress(text string) (string, bool) {
	if text == "" {
		return "", true
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(text, "?#") ||
		len(text) > maxAddress || strings.Contains(u.Path, "..") {
		return "", false
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/"), true
}

// documentChanged keeps the row of an integration, in the transaction of its document, and has it tried.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	name := c.Ref.Namespace + "/" + c.Ref.Name
	if c.New == nil {
		_, err := tx.Exec(ctx, "DELETE FROM integrations WHERE name = $1", name)
		return fault.Wrap(err, "forget integration %s", name)
	}
	spec, wrong := read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Integration %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode integration %s", name)
	}
	sum := sha256.Sum256([]byte(c.Space + "\n" + string(raw)))
	_, err = tx.Exec(ctx, `INSERT INTO integrations (name, space, spec, version, state, reason, health, looked, since) VALUES ($1,$2,$3,$4,$5,'','{}',0,0)
 ON CONFLICT (name) DO UPDATE SET space=excluded.space, spec=excluded.spec, version=excluded.version`,
		name, c.Space, string(raw), hex.EncodeToString(sum[:]), Unknown)
	if err != nil {
		return fault.Wrap(err, "keep integration %s", name)
	}
	return s.askFor(ctx, tx, name)
}
