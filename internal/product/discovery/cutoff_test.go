package discovery_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/product/discovery"
)

// between has the integration reach its GitLab through a server that may answer itself.
func (b *bench) between(answers func(w http.ResponseWriter, r *http.Request) bool) {
	b.t.Helper()
	to, err := url.Parse(b.lab.URL)
	b.good(err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	b.t.Cleanup(server.Close)
	b.apply("default", "{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: lab}, spec: {forge: gitlab, url: "+server.URL+", token: {secretRef: default/gitlab}}}")
}

// What a forge that suddenly lists nothing had listed stays: nothing of it goes at once.
func TestAnEmptyAnswerTakesNothingAway(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var empty atomic.Bool
		b.between(func(w http.ResponseWriter, r *http.Request) bool {
			path := r.URL.Path
			if !empty.Load() || r.Method != http.MethodGet || strings.Contains(path, "/repository/") {
				return false
			}
			switch {
			case strings.HasSuffix(path, "/projects"), strings.HasSuffix(path, "/members"), strings.HasSuffix(path, "/members/all"), strings.HasSuffix(path, "groups"):
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, "[]")
			case strings.Contains(path, "/projects/"):
				http.Error(w, `{"message":"404 Project Not Found"}`, http.StatusNotFound)
			default:
				return false
			}
			return true
		})
		const many = 7
		for i := range many {
			b.project(fmt.Sprintf("acme/p%d", i), true)
			b.lab.User(fmt.Sprintf("u%d", i), fmt.Sprintf("token-of-u%d", i), "api")
			b.lab.Group(fmt.Sprintf("acme/t%d", i), map[string]int{fmt.Sprintf("u%d", i): gitlabtest.Developer})
		}
		b.declare("repositories: {}, people: {users: true}")
		before := b.look()
		if before.State != discovery.Healthy || before.Counts.Registered != many || before.Counts.Users < many {
			t.Fatalf("before, it is %+v", before)
		}
		empty.Store(true)
		if d := b.look(); d.State != discovery.Held || d.Counts.Held != many+before.Counts.Users || b.locations() != many {
			t.Errorf("when nothing is listed it is %+v, with %d locations", d, b.locations())
		}
		if _, err := b.entity("user:default/u3"); err != nil {
			t.Errorf("somebody is gone: %v", err)
		}
		empty.Store(false)
		if d := b.look(); d.State != discovery.Healthy || d.Counts != before.Counts {
			t.Errorf("when it lists again it is %+v", d)
		}
	})
}

// A look that is cut off half way is taken up soon, and has taken nothing away.
func TestALookThatIsCutOffGoesOn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var cut atomic.Pointer[context.CancelFunc]
		b.between(func(w http.ResponseWriter, r *http.Request) bool {
			if stop := cut.Load(); stop != nil && strings.Contains(r.URL.EscapedPath(), "new1") {
				(*stop)()
				<-r.Context().Done() // whoever has asked is gone
				return true
			}
			return false
		})
		for i := range 3 {
			b.project(fmt.Sprintf("acme/p%d", i), true)
		}
		b.declare("repositories: {}, people: {users: true}")
		if d := b.look(); d.Counts.Registered != 3 || d.Counts.Users != 3 {
			t.Fatalf("before, it is %+v", d)
		}
		b.project("acme/new0", true)
		b.project("acme/new1", true)
		b.clock.Add((2 * time.Hour).Microseconds())
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		cut.Store(&stop)
		if err := b.Sweep(ctx); err == nil || ctx.Err() == nil {
			t.Fatalf("the look was not cut off: %v", err)
		}
		cut.Store(nil)
		d, err := b.Get(system(), "default/acme")
		b.good(err)
		if late := d.Next.Sub(b.now()); late > time.Minute || d.State != discovery.Healthy {
			t.Errorf("after that it is %s, and the next look is in %s", d.State, late)
		}
		if n := b.locations(); n < 3 || n > 4 {
			t.Errorf("there are %d locations", n)
		}
		if _, err := b.entity("user:default/bob"); err != nil {
			t.Errorf("bob is gone: %v", err)
		}
		b.clock.Add(time.Minute.Microseconds())
		b.good(b.Sweep(context.Background()))
		if d, err = b.Get(system(), "default/acme"); err != nil || d.State != discovery.Healthy || d.Counts.Registered != 5 || d.Counts.Users != 3 || b.locations() != 5 {
			t.Errorf("the next look ends with %+v, %v", d, err)
		}
	})
}
