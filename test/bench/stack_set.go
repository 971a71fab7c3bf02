package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// setFolders is how many folders of a monorepo become stacks.
const setFolders = 1400

const setDocument = `apiVersion: roadbed.dev/v1
kind: StackSet
metadata: {name: mono}
spec:
  owner: group:default/crew
  source: {repository: default/mono, branch: main}
  folders: ["stacks/*/*/"]
  template: {labels: ["{{path.basename}}"], watch: ["shared/**"]}
`

// setFigures measures a monorepo of 1,400 folders: from the request that declares its StackSet until each of them is a stack;
// and from a push into one folder until that is planned and the 1,399 others have taken note of it. Its plans have no
// engine to wait for: what is measured ends when a run has begun.
func setFigures(ctx context.Context, b *bench) error {
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	me, err := newPerson(filepath.Join(b.dir, "home"), s.api.Token)
	if err != nil {
		return err
	}
	made, err := client.Post[client.Repository](ctx, s.api, "/repositories", map[string]string{"name": "mono"})
	if err != nil {
		return err
	}
	m := &mono{api: s.api, me: me, work: filepath.Join(me.home, "mono"), remote: made.CloneURL}
	if _, err := me.git(ctx, "", "init", "--quiet", m.work); err != nil {
		return err
	}
	files := map[string]string{"shared/README.md": "shared\n"}
	for i := range setFolders {
		files[m.folder(i)+"/main.tf"] = fmt.Sprintf("# folder %d\n", i)
	}
	if _, err := m.push(ctx, files); err != nil {
		return err
	}
	began := time.Now()
	if _, err := client.Post[client.List[client.Applied]](ctx, s.api, "/apply", map[string]any{"documents": setDocument, "source": "bench"}); err != nil {
		return err
	}
	var set client.StackSet
	err = m.until(ctx, func() (done bool, err error) {
		set, err = client.Get[client.StackSet](ctx, s.api, "/stack-sets/default/mono", nil)
		return set.Stacks == setFolders, err
	})
	if err != nil {
		return fmt.Errorf("the set came to %d stacks, %s: %w", set.Stacks, set.Message, err)
	}
	b.most("stack_set_made", time.Since(began).Seconds(), 60, "s")
	figure("stack_set_look", float64(set.Took), "ms")

	var planned, whole spread
	for round := range 5 {
		began := time.Now()
		commit, err := m.push(ctx, map[string]string{m.folder(7*round) + "/main.tf": fmt.Sprintf("# round %d\n", round)})
		if err != nil {
			return err
		}
		err = m.until(ctx, func() (bool, error) {
			runs, err := client.Get[client.List[client.Run]](ctx, s.api, "/runs", url.Values{"commit": {commit}})
			if len(runs.Items) > 1 {
				return false, fmt.Errorf("a push into one folder began %d runs", len(runs.Items))
			}
			return len(runs.Items) == 1, err
		})
		if err != nil {
			return err
		}
		planned = append(planned, time.Since(began))
		err = m.until(ctx, func() (bool, error) {
			now, err := client.Get[client.StackSet](ctx, s.api, "/stack-sets/default/mono", nil)
			return now.Seen == commit && now.Stacks == setFolders, err
		})
		if err != nil {
			return err
		}
		whole = append(whole, time.Since(began))
	}
	planned.show("stack_set_push_planned")
	whole.show("stack_set_push_looked")
	return nil
}

// mono is a person with a monorepo.
type mono struct {
	api          *client.Client
	me           *person
	work, remote string
}

func (m *mono) folder(i int) string { return fmt.Sprintf("stacks/team-%02d/app-%04d", i%40, i) }

// push writes files and pushes them, and gives the commit.
func (m *mono) push(ctx context.Context, files map[string]string) (string, error) {
	for name, content := range files {
		path := filepath.Join(m.work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", "change"}, {"push", "--quiet", m.remote, "main"}} {
		if _, err := m.me.git(ctx, m.work, args...); err != nil {
			return "", err
		}
	}
	out, err := m.me.git(ctx, m.work, "rev-parse", "HEAD")
	return strings.TrimSpace(out), err
}

func (m *mono) until(ctx context.Context, done func() (bool, error)) error {
	for late := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		is, err := done()
		if err != nil || is {
			return err
		}
		if time.Now().After(late) {
			return fmt.Errorf("it does not get there within five minutes")
		}
	}
}
