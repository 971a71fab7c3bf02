package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/server"
)

// installation starts a server for an example. Elsewhere it takes this much:
//
//	api := client.New(os.Getenv("ROADBED_URL"), os.Getenv("ROADBED_TOKEN"))
func installation() (api *client.Client, stop func()) {
	data, err := os.MkdirTemp("", "roadbed-")
	if err != nil {
		log.Fatal(err)
	}
	o := server.Defaults()
	o.Data, o.Database, o.Workers, o.Download = data, "sqlite:"+data+"/roadbed.db", 4, false
	o.AdminToken = "an-administrators-token-for-examples"
	ctx, cancel := context.WithCancel(context.Background())
	h, err := server.Open(ctx, o, "example", slog.New(slog.DiscardHandler))
	if err == nil {
		err = h.SetUp(ctx)
	}
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	outside := httptest.NewServer(h.Handler())
	return client.New(outside.URL, o.AdminToken), func() {
		outside.Close()
		cancel()
		if err := errors.Join(<-ended, h.Close(), os.RemoveAll(data)); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleGet() {
	api, stop := installation()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	me, err := client.Get[client.Me](ctx, api, "/whoami", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Ref, me.Admin)
	// Output: user:default/admin true
}

func ExamplePost() {
	api, stop := installation()
	defer stop()

	applied, err := client.Post[client.List[client.Applied]](context.Background(), api, "/apply", map[string]any{"documents": `
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: payments}
spec: {type: team, children: []}
`})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range applied.Items {
		fmt.Println(a.Action, a.Ref)
	}
	// Output: created group:default/payments
}

func ExampleEach() {
	api, stop := installation()
	defer stop()

	for kind, err := range client.Each[client.KindInfo](context.Background(), api, "/kinds", nil) {
		if err != nil {
			log.Fatal(err)
		}
		if kind.Name == "Stack" {
			fmt.Println(kind.Plural, kind.APIVersions)
			break // no further page is asked for
		}
	}
	// Output: stacks [roadbed.dev/v1]
}

func ExampleKindOf() {
	api, stop := installation()
	defer stop()
	ctx := context.Background()

	_, err := client.Get[client.Repository](ctx, api, "/repositories/payments/shop", nil)
	fmt.Println(client.KindOf(err) == client.NotFound)

	_, err = client.Post[client.Repository](ctx, api, "/repositories", map[string]string{"namespace": "payments", "name": "Shop!"})
	var problem *client.Error
	if errors.As(err, &problem) && problem.Kind == client.Invalid {
		fmt.Println("refused, with", len(problem.Details) > 0 || problem.Message != "")
	}
	// Output:
	// true
	// refused, with true
}

func ExampleClient_When() {
	api, stop := installation()
	defer stop()
	ctx := context.Background()

	put := func(api *client.Client, value string) error {
		return api.Do(ctx, http.MethodPut, "/secrets/default/database-password", nil, map[string]string{"value": value}, nil)
	}
	if err := put(api, "first"); err != nil {
		log.Fatal(err)
	}
	secrets, err := client.All[client.SecretInfo](ctx, api, "/secrets/default", nil)
	if err != nil {
		log.Fatal(err)
	}
	seen := secrets[0].Checksum
	fmt.Println(put(api.When(seen), "second"))
	fmt.Println(client.KindOf(put(api.When(seen), "third")) == client.Stale)
	// Output:
	// <nil>
	// true
}

// Plans a stack, shows what its steps write, and confirms what was planned.
func ExampleClient_FollowRun() {
	api := client.New(os.Getenv("ROADBED_URL"), os.Getenv("ROADBED_TOKEN"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	run, err := client.Post[client.RunDetail](ctx, api, "/stacks/default/shop-infra/runs", nil)
	if err != nil {
		log.Fatal(err)
	}
	err = api.FollowRun(ctx, run.ID, func(now client.RunDetail) (done bool, err error) {
		run = now
		return now.Terminal || now.Waiting, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range run.Steps {
		if err := api.FollowLog(ctx, run.ID, step.ID, 0, os.Stdout); err != nil {
			log.Fatal(err)
		}
	}
	if run.Waiting {
		_, err = client.Post[client.RunDetail](ctx, api, "/runs/"+url.PathEscape(run.ID)+"/confirm", map[string]string{"note": "looks right"})
	}
	if err != nil {
		log.Fatal(err)
	}
}
