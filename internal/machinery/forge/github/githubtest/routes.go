package githubtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	const repo = "/repos/{owner}/{repo}"
	mux.HandleFunc(prefix+"/", s.router([]operation{
		{"GET", "/user", (*call).self},
		{"GET", "/users/{username}", (*call).person},
		{"GET", "/user/orgs", func(c *call) answer { return ok(c.paged([]any{c.simpleOrganization()})) }},
		{"GET", "/user/repos", func(c *call) answer { return ok(c.paged(c.allRepositories(""))) }},
		{"POST", "/user/repos", (*call).create},
		{"GET", "/users/{username}/repos", func(c *call) answer { return ok(c.paged(c.allRepositories(c.path("username")))) }},
		{"GET", "/rate_limit", (*call).rate},
		{"GET", "/orgs/{org}/repos", func(c *call) answer {
			if c.path("org") != Organization {
				return missing()
			}
			return ok(c.paged(c.allRepositories(Organization)))
		}},
		{"POST", "/orgs/{org}/repos", (*call).create},
		{"GET", "/orgs/{org}/teams", func(c *call) answer { return ok(c.paged([]any{c.team()})) }},
		{"GET", "/orgs/{org}/members", func(c *call) answer {
			return ok(c.paged([]any{c.user(c.accounts[Ann]), c.user(c.accounts[Bob])}))
		}},
		{"GET", "/orgs/{org}/teams/{team_slug}/members", func(c *call) answer {
			if c.path("team_slug") != Team {
				return missing()
			}
			return ok(c.paged([]any{c.user(c.accounts[Bob])}))
		}},

		{"GET", "/app", func(c *call) answer { return ok(c.app()) }},
		{"GET", "/app/installations", func(c *call) answer { return ok(c.paged([]any{c.installed()})) }},
		{"GET", "/app/installations/{installation_id}", func(c *call) answer {
			if c.number("installation_id") != c.installation {
				return missing()
			}
			return ok(c.installed())
		}},
		{"POST", "/app/installations/{installation_id}/access_tokens", (*call).grantToken},
		{"GET", "/installation/repositories", func(c *call) answer {
			all := c.allRepositories("")
			return ok(obj{"total_count": len(all), "repositories": c.paged(all)})
		}},

		{"GET", repo, func(c *call) answer { return ok(c.repository(c.repo)) }},
		{"PATCH", repo, (*call).edit},
		{"DELETE", repo, (*call).remove},
		{"GET", repo + "/keys", func(c *call) answer { return ok(c.paged(each(c.repo.keys, c.keyOf))) }},
		{"POST", repo + "/keys", (*call).addKey},
		{"DELETE", repo + "/keys/{key_id}", (*call).deleteKey},

		{"GET", repo + "/contents/{path}", (*call).contents},
		{"GET", repo + "/git/trees/{tree_sha}", (*call).tree},
		{"GET", repo + "/git/blobs/{file_sha}", (*call).blob},
		{"GET", repo + "/commits", (*call).commits},
		{"GET", repo + "/commits/{ref}", (*call).commit},
		{"GET", repo + "/compare/{basehead}", (*call).compare},
		{"GET", repo + "/tarball/{ref}", (*call).tarball},
		{"GET", repo + "/branches", (*call).branches},
		{"GET", repo + "/branches/{branch}", (*call).branch},
		{"POST", repo + "/git/refs", (*call).createRef},
		{"DELETE", repo + "/git/refs/{ref}", (*call).deleteRef},
		{"GET", repo + "/tags", (*call).tags},

		{"GET", repo + "/pulls", (*call).pulls},
		{"POST", repo + "/pulls", (*call).openPull},
		{"GET", repo + "/pulls/{pull_number}", (*call).getPull},
		{"PATCH", repo + "/pulls/{pull_number}", (*call).editPull},
		{"PUT", repo + "/pulls/{pull_number}/merge", (*call).mergePull},
		{"GET", repo + "/issues/{issue_number}/comments", (*call).comments},
		{"POST", repo + "/issues/{issue_number}/comments", (*call).addComment},
		{"GET", repo + "/issues/comments/{comment_id}", (*call).getComment},
		{"PATCH", repo + "/issues/comments/{comment_id}", (*call).editComment},
		{"GET", repo + "/pulls/{pull_number}/comments", (*call).lineComments},
		{"GET", repo + "/pulls/comments/{comment_id}", (*call).getLineComment},
		{"PATCH", repo + "/pulls/comments/{comment_id}", (*call).editLineComment},
		{"GET", repo + "/pulls/{pull_number}/reviews", (*call).reviews},
		{"POST", repo + "/pulls/{pull_number}/reviews", (*call).review},

		{"GET", repo + "/commits/{ref}/check-runs", (*call).runs},
		{"POST", repo + "/check-runs", (*call).createRun},
		{"PATCH", repo + "/check-runs/{check_run_id}", (*call).updateRun},
		{"GET", repo + "/commits/{ref}/status", (*call).combined},
		{"POST", repo + "/statuses/{sha}", (*call).setStatus},

		{"GET", repo + "/hooks", func(c *call) answer { return ok(c.paged(each(c.repo.hooks, c.hookOf))) }},
		{"POST", repo + "/hooks", (*call).addHook},
		{"PATCH", repo + "/hooks/{hook_id}", (*call).editHook},
		{"DELETE", repo + "/hooks/{hook_id}", (*call).deleteHook},
		{"GET", "/orgs/{org}/hooks", func(c *call) answer { return ok(c.paged(each(c.hooks, c.hookOf))) }},
		{"POST", "/orgs/{org}/hooks", (*call).addHook},
		{"PATCH", "/orgs/{org}/hooks/{hook_id}", (*call).editHook},
		{"DELETE", "/orgs/{org}/hooks/{hook_id}", (*call).deleteHook},
	}))
	mux.HandleFunc("GET /codeload/{id}/{commit}", s.codeload)
	mux.HandleFunc("/{owner}/{name}/", s.serveGit)
	return mux
}

func (c *call) self() answer {
	if c.who.app {
		return fail(http.StatusForbidden, "Resource not accessible by integration")
	}
	return ok(c.publicUser(c.who.who))
}

func (c *call) person() answer {
	a := c.accounts[c.path("username")]
	if a == nil {
		return missing()
	}
	return ok(c.publicUser(a))
}

func (c *call) rate() answer {
	c.left++ // it costs nothing
	rate := obj{"limit": 5000, "remaining": c.left, "used": 5000 - c.left, "reset": time.Now().Add(time.Hour).Unix(), "resource": "core"}
	return ok(obj{"rate": rate, "resources": obj{"core": rate, "search": rate}})
}

// signedByApp checks an app's JSON web token as GitHub does.
func (c *call) signedByApp(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&c.key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	var told struct {
		Iss      string
		Iat, Exp int64
	}
	now := time.Now().Unix()
	return err == nil && json.Unmarshal(claims, &told) == nil && told.Iss == AppID && told.Iat <= now && told.Exp > now && told.Exp <= now+600
}

func permissions() map[string]string {
	return map[string]string{
		"administration": "write", "checks": "write", "contents": "write", "members": "read", "metadata": "read",
		"organization_hooks": "write", "pull_requests": "write", "repository_hooks": "write", "statuses": "write",
	}
}

// grantToken makes a token of the installation, narrowed as was asked.
func (c *call) grantToken() answer {
	if c.number("installation_id") != c.installation {
		return missing()
	}
	var secret [20]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fail(http.StatusInternalServerError, err.Error())
	}
	g := &grant{who: c.accounts[AppSlug+"[bot]"], app: true, ends: time.Now().Add(time.Hour), token: "ghs_" + hex.EncodeToString(secret[:])}
	granted := permissions()
	if asked, ok := c.body["permissions"].(obj); ok {
		granted = map[string]string{}
		for name, level := range asked {
			if has := permissions()[name]; has == "" || has == "read" && level != "read" {
				return fail(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
			}
			granted[name], _ = level.(string)
		}
	}
	if names, ok := c.body["repositories"].([]any); ok {
		g.repository = map[string]bool{}
		for _, name := range names {
			text, _ := name.(string)
			if c.find(Organization+"/"+text) == nil {
				return fail(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
			}
			g.repository[text] = true
		}
	}
	c.tokens[g.token] = g
	return made(obj{"token": g.token, "expires_at": stamp(g.ends), "permissions": granted, "repository_selection": "all"})
}

func (c *call) app() obj {
	return obj{
		"id": 4711, "slug": AppSlug, "client_id": "Iv1.4711", "node_id": "A_1", "owner": c.user(c.accounts[Ann]), "name": "Roadbed", "description": nil,
		"external_url": "https://roadbed.example", "html_url": c.URL + "/apps/" + AppSlug, "created_at": stamp(c.accounts[Ann].created),
		"updated_at": stamp(c.accounts[Ann].created), "permissions": permissions(), "events": []any{}, "installations_count": 1,
	}
}

func (c *call) installed() obj {
	api := c.URL + prefix
	at := stamp(c.accounts[Ann].created)
	return obj{
		"id": c.installation, "account": c.user(c.accounts[Organization]), "app_id": 4711, "app_slug": AppSlug, "target_id": c.accounts[Organization].id,
		"target_type": "Organization", "single_file_name": nil, "repository_selection": "all", "access_tokens_url": api + "/app/installations/1/access_tokens",
		"html_url": c.URL + "/organizations/acme/settings/installations/1", "repositories_url": api + "/installation/repositories", "events": []any{},
		"permissions": permissions(), "created_at": at, "updated_at": at, "suspended_by": nil, "suspended_at": nil,
	}
}

// allRepositories gives those of an owner, or all, by name.
func (c *call) allRepositories(owner string) []any {
	var all []*repository
	for _, r := range c.repositories {
		if c.who.may(r) && (owner == "" || r.owner.login == owner) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *repository) int { return strings.Compare(a.name, b.name) })
	return each(all, c.repository)
}
