package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	manyRepositories = 10_000
	fewRepositories  = 10
	listRounds       = 300
	listPushes       = 60
)

// manyFigures measures a server with 10,000 repositories beside one with ten: its lists, for somebody who sees all and
// for somebody who sees some, and a push.
func manyFigures(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	me, sides := make([]*person, 2), make([]*pusher, 2)
	var many *client.Client
	var sees *client.Client
	for i, n := range []int{fewRepositories, manyRepositories} {
		dir := filepath.Join(b.dir, fmt.Sprint(n))
		s, err := start(ctx, dir)
		if err != nil {
			return err
		}
		defer s.stop()
		if sees, err = somebody(ctx, s.api); err != nil {
			return err
		}
		began := time.Now()
		if err := fill(ctx, s.api, n); err != nil {
			return err
		}
		many = s.api
		if n == manyRepositories {
			figure("repositories_made_per_second", float64(n)/time.Since(began).Seconds(), "1/s")
		}
		if me[i], err = newPerson(filepath.Join(dir, "home"), s.api.Token); err != nil {
			return err
		}
		sides[i] = &pusher{person: me[i], token: s.api.Token, url: s.api.URL + "/git/default/repository-00001.git", seen: follow(ctx, s.api)}
		if err := sides[i].prepare(ctx, "work", listPushes+1); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		name  string
		as    *client.Client
		query url.Values
	}{
		{"list_all", many, url.Values{}},
		{"list_all_in_the_middle", many, url.Values{"cursor": {"default/repository-05000"}, "limit": {"200"}}},
		{"list_all_by_text", many, url.Values{"text": {"9999"}}},
		{"list_all_of_nothing", many, url.Values{"text": {"nowhere"}}},
		{"list_some", sees, url.Values{}},
		{"list_some_by_text", sees, url.Values{"text": {"nowhere"}}},
	} {
		var took spread
		for range listRounds {
			began := time.Now()
			if _, err := client.Get[client.List[client.Repository]](ctx, list.as, "/repositories", list.query); err != nil {
				return err
			}
			took = append(took, time.Since(began))
		}
		figure(list.name+"_p50", took.at(0.5), "ms")
		b.most(list.name+"_p99", took.at(0.99), 20, "ms")
	}
	for round := range listPushes {
		for _, i := range turn(round, len(sides)) {
			if err := sides[i].command(ctx); err != nil {
				return err
			}
		}
	}
	sides[0].commandEntries.show("push_to_entry_with_10_repositories")
	sides[1].commandEntries.show("push_to_entry_with_10000_repositories")
	b.most("push_with_10000_to_with_10", sides[1].commandEntries.ratio(sides[0].commandEntries), 1.1, "times")
	return nil
}

// some is the space whose repositories are few, and who sees those alone.
const some = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: some}, spec: {}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: some-reads}, spec: {role: reader, space: some, subjects: ["machine:default/some"]}}
`

// somebody gives a client that sees the space some and nothing else.
func somebody(ctx context.Context, api *client.Client) (*client.Client, error) {
	if _, err := client.Post[client.Machine](ctx, api, "/machines", map[string]string{"name": "some"}); err != nil {
		return nil, err
	}
	if _, err := client.Post[client.List[client.Applied]](ctx, api, "/apply", map[string]string{"documents": some, "source": "bench"}); err != nil {
		return nil, err
	}
	token, err := client.Post[client.NewToken](ctx, api, "/tokens", map[string]string{"name": "bench", "owner": "machine:default/some"})
	if err != nil {
		return nil, err
	}
	return client.New(api.URL, token.Secret), nil
}

// fill makes repositories, every 500th of them in the space some.
func fill(ctx context.Context, api *client.Client, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range numbers {
				r := map[string]string{"name": fmt.Sprintf("repository-%05d", i), "description": "made to be many"}
				if i%500 == 0 {
					r["space"] = "some"
				}
				if _, err := client.Post[client.Repository](ctx, api, "/repositories", r); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	return context.Cause(ctx)
}
