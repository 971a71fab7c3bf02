package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// reader is what somebody has read, and tells when it holds what is waited for.
type reader struct {
	all  bytes.Buffer
	see  string
	seen chan struct{}
}

func (x *reader) Write(p []byte) (int, error) {
	n, err := x.all.Write(p)
	if x.see != "" && bytes.Contains(x.all.Bytes(), []byte(x.see)) {
		x.see = ""
		close(x.seen)
	}
	return n, err
}

// follower reads a log by its events, each of which must follow on the one before: in its attempt, or as the beginning
// of the next one.
type follower struct {
	*reader
	last client.LogChunk
}

func (f *follower) chunk(c client.LogChunk) error {
	next := c.Attempt == f.last.Attempt && c.Offset == f.last.Next || c.Attempt == f.last.Attempt+1 && c.Offset == 0
	if !next || c.Next != c.Offset+int64(len(c.Text)) {
		return fmt.Errorf("after attempt %d up to %d comes attempt %d from %d to %d, with %d bytes",
			f.last.Attempt, f.last.Next, c.Attempt, c.Offset, c.Next, len(c.Text))
	}
	f.last = c
	_, err := f.Write([]byte(c.Text))
	return err
}

// TestALogIsFollowedAcrossARestart follows a step's log while its server is asked to stop, and the step writes on in the
// time that it is given, and while its server is killed in the middle of a line's being written, and the step is done
// again. By the events and by the client's follower, not a byte is lost or told twice.
func TestALogIsFollowedAcrossARestart(t *testing.T) {
	t.Parallel()
	programs := buildLight(t)
	eachDatabase(t, func(t *testing.T, database string) {
		v := newVictim(t, programs, database)
		g := groundAt(t, "http://"+v.address, crashToken)
		for what, story := range map[string]struct {
			script, see string
			hit         func(id string)
			attempts    int
		}{
			"stopped": {"echo one; sleep 33.5 || true; seq 20000; echo two", "one\n", func(id string) {
				pid := sleepIn(t, id, "33.5")
				stream := follow(t, g.url+"/api/v1/runs/"+id+"/events", crashToken, "")
				stopped := v.ask(t)
				for range stream { // until the server has ended all streams
				}
				wakeUp(t, pid)
				stopped()
			}, 1},
			"killed": {"seq 100000; sleep 33.6 || true; echo two", "\n5000\n", func(string) { v.kill() }, 2},
		} {
			r, err := client.Post[client.RunDetail](t.Context(), g.admin, "/workflows/runs", map[string]string{"document": writes(story.script, "")})
			if err != nil {
				t.Fatal(err)
			}
			r = until(t, g.admin, r.ID, func(r client.RunDetail) bool { return len(r.Steps) > 0 })
			step := r.Steps[0].Key
			events, plain := follower{reader: &reader{see: story.see, seen: make(chan struct{})}}, &reader{see: story.see, seen: make(chan struct{})}
			var both errgroup.Group
			both.Go(func() error {
				return g.admin.Follow(t.Context(), "/runs/"+r.ID+"/steps/"+step+"/log/events", nil, func(e client.Event) (bool, error) {
					if e.Name == "end" {
						return true, nil
					}
					var c client.LogChunk
					if err := json.Unmarshal(e.Data, &c); err != nil {
						return false, err
					}
					return false, events.chunk(c)
				})
			})
			both.Go(func() error { return g.admin.FollowLog(t.Context(), r.ID, step, 0, plain) })
			<-events.seen
			<-plain.seen
			story.hit(r.ID)
			v.start(t)
			v.awaitReady(t)
			if story.attempts > 1 { // what the first left is gone when the second has begun
				until(t, g.admin, r.ID, func(r client.RunDetail) bool { return r.Steps[0].Attempt == 2 && r.Steps[0].State == "leased" })
				wakeUp(t, sleepIn(t, r.ID, "33.6"))
			}
			if r = until(t, g.admin, r.ID, ended); r.State != "succeeded" || r.Steps[0].Attempt != story.attempts {
				t.Errorf("%s: the run is %s: %s; %s", what, r.State, r.Reason, steps(r))
			}
			if err := both.Wait(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			var want bytes.Buffer
			for attempt := 1; attempt <= story.attempts; attempt++ {
				var part []byte
				path := fmt.Sprintf("/runs/%s/steps/%s/log?attempt=%d", r.ID, step, attempt)
				if err := g.admin.Do(t.Context(), "GET", path, nil, nil, &part); err != nil {
					t.Fatal(err)
				}
				want.Write(part)
			}
			for how, got := range map[string][]byte{"by its events": events.all.Bytes(), "by the client": plain.all.Bytes()} {
				if !bytes.Equal(got, want.Bytes()) {
					t.Errorf("%s: the log has %d bytes, and %d were followed %s", what, want.Len(), len(got), how)
				}
			}
			if !bytes.HasSuffix(want.Bytes(), []byte("\ntwo\n")) {
				t.Errorf("%s: the log ends with %q", what, want.Bytes()[max(0, want.Len()-100):])
			}
		}
	})
}

// TestWhoLosesARightFollowsNoMore takes the right to read a log from somebody who follows it.
func TestWhoLosesARightFollowsNoMore(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		r, err := client.Post[client.RunDetail](t.Context(), g.admin, "/workflows/runs", map[string]string{
			"document": writes("echo one; sleep 34.1 || true; echo two; sleep 34.2 || true; echo three; sleep 34.3 || true; echo four", ""),
		})
		if err != nil {
			t.Fatal(err)
		}
		r = until(t, g.admin, r.ID, func(r client.RunDetail) bool { return len(r.Steps) > 0 })
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: listens}, spec: {description: Reads logs, permissions: ["run:read", "run:log"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-listens}, spec: {role: listens, space: default, subjects: ["user:default/mallory"]}}`)
		heard, over := &reader{see: "one\n", seen: make(chan struct{})}, make(chan error, 1)
		go func() { over <- g.as["mallory"].FollowLog(t.Context(), r.ID, r.Steps[0].Key, 0, heard) }()
		select {
		case <-heard.seen:
		case err := <-over:
			t.Fatalf("the follower ends with %v", err)
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/rolebinding/default/mallory-listens", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		wakeUp(t, sleepIn(t, r.ID, "34.1"))
		if err := <-over; !fault.Is(err, fault.NotFound) {
			t.Errorf("the follower ends with %v", err)
		}
		for _, long := range []string{"34.2", "34.3"} {
			wakeUp(t, sleepIn(t, r.ID, long))
		}
		r = until(t, g.admin, r.ID, ended)
		if r.State != "succeeded" || strings.Contains(heard.all.String(), "three") {
			t.Errorf("the run is %s: %s; the follower has %q", r.State, r.Reason, heard.all.String())
		}
	})
}
