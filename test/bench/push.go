package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const pushRounds = 150

// pushFigures measures pushes of one commit, over Roadbed and over git http-backend behind nginx, in two ways. By the git
// program: from the start of the command to its end, and to the entry of the ledger as somebody sees it who follows. And
// by a request alone, whose pack was made before: from its sending to the entry, or where there is no ledger to the end of
// the answer.
func pushFigures(ctx context.Context, b *bench) error {
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	other, err := newPlain(ctx, filepath.Join(b.dir, "plain"))
	if err != nil {
		return err
	}
	defer other.stop()
	me, err := newPerson(filepath.Join(b.dir, "home"), s.api.Token)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := follow(ctx, s.api)
	sides := []*pusher{{person: me, token: s.api.Token, seen: seen}}
	r, err := client.Post[client.Repository](ctx, s.api, "/repositories", map[string]string{"name": "pushed"})
	if err != nil {
		return err
	}
	sides[0].url = r.CloneURL
	if other != nil {
		address, err := other.repository(ctx, me, "pushed.git")
		if err != nil {
			return err
		}
		sides = append(sides, &pusher{person: me, url: address})
	}
	for i, p := range sides {
		if err := p.prepare(ctx, fmt.Sprintf("work%d", i), 2*pushRounds+2); err != nil {
			return err
		}
	}
	for round := range pushRounds + 1 {
		for _, i := range turn(round, len(sides)) {
			if err := sides[i].command(ctx); err != nil {
				return err
			}
			if err := sides[i].request(ctx); err != nil {
				return err
			}
		}
		if round == 0 { // it warmed what there is to warm
			for _, p := range sides {
				p.commands, p.commandEntries, p.requests, p.requestEntries = nil, nil, nil, nil
			}
		}
	}
	own := sides[0]
	own.commands.show("push_command_roadbed")
	b.most("push_command_to_entry_p50", own.commandEntries.at(0.5), 60, "ms")
	b.most("push_command_to_entry_p99", own.commandEntries.at(0.99), 200, "ms")
	own.requests.show("push_request_roadbed")
	own.requestEntries.show("push_request_to_entry")
	if other != nil {
		sides[1].commands.show("push_command_http_backend")
		sides[1].requests.show("push_request_http_backend")
		figure("push_command_to_http_backend", own.commands.ratio(sides[1].commands), "times")
	}
	return nil
}

// entries is when the entry of a push was seen, by the commit.
type entries struct {
	mu   sync.Mutex
	at   map[string]time.Time
	more chan struct{} // closed at the next one
}

// follow notes each push's entry as it comes by the live ledger.
func follow(ctx context.Context, api *client.Client) *entries {
	e := &entries{at: map[string]time.Time{}, more: make(chan struct{})}
	go func() {
		// It ends with ctx.
		_ = api.Follow(ctx, "/ledger/events", url.Values{"type": {"repository.pushed"}}, func(event client.Event) (bool, error) {
			now := time.Now()
			var entry client.Entry
			var push struct{ New string }
			if err := json.Unmarshal(event.Data, &entry); err != nil {
				return false, err
			}
			if err := json.Unmarshal(entry.Data, &push); err != nil {
				return false, err
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.at[push.New] = now
			close(e.more)
			e.more = make(chan struct{})
			return false, nil
		})
	}()
	return e
}

// wait gives when the entry of a commit was seen.
func (e *entries) wait(ctx context.Context, commit string) (time.Time, error) {
	late := time.After(10 * time.Second)
	for {
		e.mu.Lock()
		at, more := e.at[commit], e.more
		e.mu.Unlock()
		if !at.IsZero() {
			return at, nil
		}
		select {
		case <-more:
		case <-late:
			return at, fmt.Errorf("the ledger did not tell of the push of %s within ten seconds", commit)
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}

// pusher pushes one commit after another to one repository.
type pusher struct {
	*person
	url, token, dir string
	seen            *entries // nil where there is no ledger
	commits         []string // still to be pushed
	at              string   // what was pushed last

	commands, commandEntries, requests, requestEntries spread
}

// prepare makes a project with a history, pushes it, and makes n more commits.
func (p *pusher) prepare(ctx context.Context, dir string, n int) error {
	p.dir = filepath.Join(p.home, dir)
	if _, err := p.git(ctx, "", "init", "--quiet", p.dir); err != nil {
		return err
	}
	var in strings.Builder
	write := func(i int, path, content string) {
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter Bench <bench@example.com> %d +0000\ndata 6\nchange\nM 100644 inline %s\ndata %d\n%s\n", i+1, 1_700_000_000+i, path, len(content), content)
	}
	const before = 200
	for i := range before + n {
		write(i, fmt.Sprintf("src/part%d/file%d.txt", i%7, i%97), fmt.Sprintf("version %d\n%s", i, strings.Repeat("some line\n", 50)))
	}
	if _, err := p.gitWith(ctx, p.dir, in.String(), "fast-import", "--quiet"); err != nil {
		return err
	}
	list, err := p.git(ctx, p.dir, "rev-list", "--reverse", "main")
	if err != nil {
		return err
	}
	all := strings.Fields(list)
	p.at, p.commits = all[before-1], all[before:]
	_, err = p.git(ctx, p.dir, "push", "--quiet", p.url, p.at+":refs/heads/main")
	return err
}

func (p *pusher) next() (before, commit string) {
	before, p.at, p.commits = p.at, p.commits[0], p.commits[1:]
	return before, p.at
}

// command pushes by the git program.
func (p *pusher) command(ctx context.Context) error {
	_, commit := p.next()
	began := time.Now()
	took, err := p.timed(ctx, p.dir, "push", "--quiet", p.url, commit+":refs/heads/main")
	if err != nil {
		return err
	}
	p.commands = append(p.commands, took)
	return p.entry(ctx, commit, began, &p.commandEntries)
}

func (p *pusher) entry(ctx context.Context, commit string, began time.Time, to *spread) error {
	if p.seen == nil {
		return nil
	}
	at, err := p.seen.wait(ctx, commit)
	*to = append(*to, at.Sub(began))
	return err
}

// request pushes by the one request that carries the pack.
func (p *pusher) request(ctx context.Context) error {
	before, commit := p.next()
	pack, err := p.gitWith(ctx, p.dir, commit+"\n^"+before+"\n", "pack-objects", "--stdout", "--revs", "--thin", "--quiet")
	if err != nil {
		return err
	}
	line := before + " " + commit + " refs/heads/main\x00 report-status agent=bench"
	body := fmt.Sprintf("%04x%s0000%s", len(line)+4, line, pack)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/git-receive-pack", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	began := time.Now()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	response.Body.Close()
	p.requests = append(p.requests, time.Since(began))
	if err == nil && !bytes.Contains(answer, []byte("ok refs/heads/main")) {
		err = fmt.Errorf("%s: a push was answered with %s %q", p.url, response.Status, answer)
	}
	if err != nil {
		return err
	}
	return p.entry(ctx, commit, began, &p.requestEntries)
}
