package identity_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestLimiterSlowsOneAddressDown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	l := identity.NewLimiter(func() time.Time { return now })
	tries := 0
	for ; l.Begin(fmt.Sprintf("10.0.0.1:%d", tries+1)) == nil && tries < 1000; tries++ {
	}
	if tries != 60 {
		t.Errorf("%d failures went through; want 60", tries)
	}
	if err := l.Begin("10.0.0.1"); !fault.Is(err, fault.Exhausted) {
		t.Errorf("the same address without a port: %v", err)
	}
	if err := l.Begin("10.0.0.2:1"); err != nil {
		t.Errorf("another address: %v", err)
	}
	now = now.Add(time.Millisecond)
	if err := l.Begin("10.0.0.1:1"); !fault.Is(err, fault.Exhausted) {
		t.Errorf("a moment later: %v", err)
	}
	now = now.Add(time.Second)
	if err := l.Begin("10.0.0.1:1"); err != nil {
		t.Errorf("a second later: %v", err)
	}
	for range 100 {
		_ = l.Begin("[2001:db8::1]:1")
	}
	if l.Begin("[2001:db8::ffff]:1") == nil || l.Begin("[2001:db8:0:1::1]:1") != nil {
		t.Error("an IPv6 network counts as one address, and its neighbour as another")
	}
	for range 100 {
		_ = l.Begin("@") // a unix socket
	}
	if l.Begin("") == nil {
		t.Error("what has no address counts together")
	}
}

func TestLimiterForgetsTheOldest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	l := identity.NewLimiter(func() time.Time { return now })
	for range 60 {
		_ = l.Begin("192.0.2.1")
	}
	for i := range 9_999 {
		_ = l.Begin(fmt.Sprintf("10.1.%d.%d", i/256, i%256))
	}
	if l.Begin("192.0.2.1") == nil {
		t.Error("forgotten too early")
	}
	_ = l.Begin("198.51.100.1")
	if l.Begin("192.0.2.1") != nil {
		t.Error("more than 10,000 addresses are remembered")
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	c := identity.Cookie("value", true)
	if c.Name != "__Host-roadbed" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie over TLS is %v", c)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(identity.Cookie("value", false))
	if identity.CookieOf(r, false) != "value" || identity.CookieOf(r, true) != "" {
		t.Error("a cookie from plain HTTP must not count over TLS")
	}
	r.SetBasicAuth("git", "rbt_x")
	if got := identity.Bearer(r.Header.Get("Authorization"), r.BasicAuth); got != "rbt_x" {
		t.Errorf("basic gives %q", got)
	}
	if got := identity.Bearer("Bearer  rbt_y ", r.BasicAuth); got != "rbt_y" {
		t.Errorf("bearer gives %q", got)
	}
}

func TestLimiterCountsAttemptsThatComeTogether(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	l := identity.NewLimiter(func() time.Time { return now })
	begun := 0
	for l.Begin("192.0.2.1") == nil { // none of them has ended
		begun++
	}
	if begun != 60 {
		t.Errorf("%d attempts are judged at once", begun)
	}
	for range begun { // and all were good
		l.Passed("192.0.2.1")
	}
	if err := l.Begin("192.0.2.1"); err != nil {
		t.Errorf("who only succeeds is held back: %v", err)
	}
}
