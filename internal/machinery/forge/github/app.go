package github

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// App is a GitHub App that is installed where it is to be used.
type App struct {
	ID           string // or its client id
	Key          []byte // private, in PEM form as GitHub gives it
	Installation int64  // 0 when Account tells, or when the app has only one
	Account      string // organization or person that it is installed on; "" when Installation tells
}

const (
	jwtAge   = 9 * time.Minute // GitHub takes ten
	skew     = time.Minute     // by which clocks may differ
	renewal  = 5 * time.Minute // before a token ends it is made anew
	maxKept  = 1000            // tokens
	allOfIts = ""              // the token for all that an installation has
)

// app makes tokens for an installation.
type app struct {
	id  string
	key *rsa.PrivateKey
	api *gh.Client // signs as the app itself
	now func() time.Time

	mu           sync.Mutex
	installation int64
	account      string
	tokens       map[string]*minted // by the repository that they are for
}

// minted is a token, or one that is being made.
type minted struct {
	mu     sync.Mutex
	value  string
	ends   time.Time
	grants map[string]string
}

type token struct {
	value string
	ends  time.Time
}

func newApp(api string, o Options) (*app, error) {
	key, err := privateKey(o.App.Key)
	if err != nil {
		return nil, err
	}
	if o.App.ID == "" {
		return nil, fault.Errorf(fault.Invalid, "an app of GitHub's has an id, which its settings show; write it")
	}
	a := &app{id: o.App.ID, key: key, now: o.Now, installation: o.App.Installation, account: o.App.Account, tokens: map[string]*minted{}}
	a.api, _, err = client(api, o, func(context.Context) (string, string, error) {
		signed, err := a.sign()
		return "Authorization", "Bearer " + signed, err
	})
	return a, err
}

func privateKey(text []byte) (*rsa.PrivateKey, error) {
	bad := fault.Errorf(fault.Invalid, "the app's private key can't be read; give the .pem file that GitHub made, with an RSA key")
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, bad
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if key, ok := any.(*rsa.PrivateKey); err == nil && ok {
		return key, nil
	}
	return nil, bad
}

// sign makes the JSON web token (RFC 7519, RS256) by which the app speaks as itself.
func (a *app) sign() (string, error) {
	now := a.now()
	claims, err := json.Marshal(map[string]any{"iss": a.id, "iat": now.Add(-skew).Unix(), "exp": now.Add(jwtAge).Unix()})
	if err != nil {
		return "", err
	}
	part := base64.RawURLEncoding.EncodeToString
	text := part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "the app's private key does not sign: %w", err)
	}
	return text + "." + part(signature), nil
}

// tokenFor gives a token that holds for some minutes more: for one repository of the installation, with its content
// alone, or for all that it has. Callers at the same time make one.
func (a *app) tokenFor(ctx context.Context, repository string) (token, error) {
	a.mu.Lock()
	m := a.tokens[repository]
	if m == nil {
		a.forget()
		m = &minted{}
		a.tokens[repository] = m
	}
	a.mu.Unlock()

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.value != "" && a.now().Add(renewal).Before(m.ends) {
		return token{m.value, m.ends}, nil
	}
	installation, err := a.find(ctx)
	if err != nil {
		return token{}, err
	}
	o := &gh.InstallationTokenOptions{}
	if repository != allOfIts {
		if o.Permissions, err = a.content(ctx); err != nil {
			return token{}, err
		}
		_, name, err := split(repository)
		if err != nil {
			return token{}, err
		}
		o.Repositories = []string{name}
	}
	got, _, err := a.api.Apps.CreateInstallationToken(ctx, installation, o)
	if err = told(err); err != nil {
		if repository != allOfIts { // one that the installation does not have
			err = as(err, fault.NotFound, http.StatusUnprocessableEntity)
		}
		return token{}, fault.Wrap(err, "a token of installation %d of the app %s", installation, a.id)
	}
	m.value, m.ends = got.GetToken(), got.GetExpiresAt().Time
	m.grants = grants(got.GetPermissions())
	return token{m.value, m.ends}, nil
}

// forget makes room among the tokens that are kept.
func (a *app) forget() {
	if len(a.tokens) < maxKept {
		return
	}
	for repository := range a.tokens {
		if repository != allOfIts {
			delete(a.tokens, repository)
		}
	}
}

// content gives what git needs of what the installation was granted: asking for more is refused.
func (a *app) content(ctx context.Context) (*gh.InstallationPermissions, error) {
	if _, err := a.tokenFor(ctx, allOfIts); err != nil {
		return nil, err
	}
	a.mu.Lock()
	m := a.tokens[allOfIts]
	a.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	pick := func(name string) *string {
		if level := m.grants[name]; level != "" {
			return &level
		}
		return nil
	}
	return &gh.InstallationPermissions{Contents: pick("contents"), Metadata: pick("metadata"), Workflows: pick("workflows")}, nil
}

// find gives the installation that is meant.
func (a *app) find(ctx context.Context) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.installation != 0 {
		return a.installation, nil
	}
	list, err := whole(func(o gh.ListOptions) ([]*gh.Installation, *gh.Response, error) {
		return a.api.Apps.ListInstallations(ctx, &o)
	},
		func(i *gh.Installation) *gh.Installation { return i })
	if err != nil {
		return 0, err
	}
	if a.account != "" {
		list = slices.DeleteFunc(list, func(i *gh.Installation) bool { return !strings.EqualFold(i.GetAccount().GetLogin(), a.account) })
		if len(list) == 0 {
			return 0, fault.Errorf(fault.Invalid, "the app %s is not installed on %s; install it there first", a.id, a.account)
		}
	}
	if len(list) != 1 {
		var where []string
		for _, i := range list[:min(len(list), 10)] {
			where = append(where, fmt.Sprintf("%d on %s", i.GetID(), i.GetAccount().GetLogin()))
		}
		return 0, fault.Errorf(fault.Invalid, "the app %s has %d installations (%s); name the one that is meant, or install it first", a.id, len(list), strings.Join(where, ", "))
	}
	a.installation = list[0].GetID()
	return a.installation, nil
}

// get gives the installation as GitHub has it now.
func (a *app) get(ctx context.Context) (*gh.Installation, error) {
	n, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	i, _, err := a.api.Apps.GetInstallation(ctx, n)
	return i, told(err)
}

// grants gives permissions as a map, as GitHub writes them: contents is write.
func grants(p *gh.InstallationPermissions) map[string]string {
	out := map[string]string{}
	text, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return nil
	}
	return out
}

// needs is what the contract takes of an app, with the lowest level.
func needs() [][2]string {
	return [][2]string{
		{"administration", "write"}, {"checks", "write"}, {"contents", "write"}, {"members", "read"}, {"metadata", "read"},
		{"organization_hooks", "write"}, {"pull_requests", "write"}, {"repository_hooks", "write"}, {"statuses", "read"},
	}
}

func (a *app) health(ctx context.Context) (forge.Health, error) {
	self, answer, err := a.api.Apps.Get(ctx, "")
	if err != nil {
		return forge.Health{}, told(err)
	}
	installed, err := a.get(ctx)
	if err != nil {
		return forge.Health{}, err
	}
	if !installed.GetSuspendedAt().IsZero() {
		return forge.Health{}, fault.Errorf(fault.Denied, "the installation of the app %s on %s is suspended", self.GetSlug(), installed.GetAccount().GetLogin())
	}
	h := forge.Health{Login: self.GetSlug() + "[bot]", Version: answer.Header.Get(versionHeader), Scopes: []string{}}
	has := grants(installed.GetPermissions())
	for _, need := range needs() {
		level := has[need[0]]
		if level != "" {
			h.Scopes = append(h.Scopes, need[0]+":"+level)
		}
		if level == "" || level == "read" && need[1] == "write" {
			h.Missing = append(h.Missing, need[0]+":"+need[1])
		}
	}
	return h, nil
}

// organizations gives the one that the app is installed on.
func (a *app) organizations(ctx context.Context, web string, part page.Request) (page.Of[forge.Organization], error) {
	i, err := a.get(ctx)
	if err != nil {
		return page.Of[forge.Organization]{}, err
	}
	var all []forge.Organization
	if account := i.GetAccount(); account.GetType() == "Organization" {
		all = append(all, forge.Organization{ID: id(account.GetID()), Name: account.GetLogin(), Title: account.GetName(), URL: web + "/" + account.GetLogin()})
	}
	return page.From(all, part, func(o forge.Organization) string { return o.Name }), nil
}
