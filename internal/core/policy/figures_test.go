package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// figures gives a service on SQLite with policies at a point.
func figures(b *testing.B, at string, sources ...string) *policy.Service {
	b.Helper()
	db := storetest.SQLite(b, ledger.Migrations(), access.Migrations(), policy.Migrations())
	log := slog.New(slog.DiscardHandler)
	book := ledger.New(db, time.Now, log)
	blobs, err := blob.OpenFiles(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = blobs.Close() })
	s := policy.New(db, blobs, access.New(db, book, time.Now, log), book, time.Now, log)
	for i, rego := range sources {
		d := document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: fmt.Sprintf("p%d", i)}, Spec: map[string]any{"point": at, "rego": rego}}
		err := db.Write(context.Background(), func(tx *store.Tx) error {
			return policy.Kinds(s)[0].Changed(context.Background(), tx, document.Change{Ref: d.Ref(), Space: "default", New: &d})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkTenPlanPolicies decides about a plan of 100 resources, and records it. It is to take less than 30 ms.
func BenchmarkTenPlanPolicies(b *testing.B) {
	var sources []string
	for _, d := range policy.Shipped() {
		if d.Spec["point"] == "plan" {
			sources = append(sources, d.Spec["rego"].(string))
		}
	}
	text, err := os.ReadFile("testdata/spacelift/plan/blast_radius.rego")
	if err != nil {
		b.Fatal(err)
	}
	sources = append(sources, string(text))
	for i := len(sources); i < 10; i++ {
		sources = append(sources, fmt.Sprintf("package spacelift\n\ndeny contains sprintf(\"%%s: no tag %d\", [r.address]) if {\n  some r in input.terraform.resource_changes\n  not r.change.after.tags[\"tag%d\"]\n  r.type == \"kind%d\"\n}\n", i, i, i))
	}
	s := figures(b, "plan", sources...)
	var changes []any
	for i := range 100 {
		changes = append(changes, map[string]any{
			"address": fmt.Sprintf("module.a.kind%d.r%d", i%12, i), "type": fmt.Sprintf("kind%d", i%12), "name": fmt.Sprintf("r%d", i), "mode": "managed",
			"change": map[string]any{"actions": []string{"create"}, "before": nil, "after": map[string]any{"name": fmt.Sprintf("r%d", i), "tags": map[string]string{"tag5": "x", "team": "crew"}, "size": i, "list": []int{1, 2, 3}}},
		})
	}
	raw, err := json.Marshal(map[string]any{"run": map[string]any{"type": "tracked"}, "spacelift": map[string]any{"run": map[string]any{"type": "TRACKED"}}, "terraform": map[string]any{"resource_changes": changes}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if d, err := s.Decide(system(), "plan", "default", json.RawMessage(raw), policy.Refs{}); err != nil || len(d.Policies) != 10 {
			b.Fatal(d, err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/decision")
}

// BenchmarkLogins decides about logins, and records them, by as many callers as there are processors times eight.
func BenchmarkLogins(b *testing.B) {
	text, err := os.ReadFile("testdata/spacelift/login/teams.rego")
	if err != nil {
		b.Fatal(err)
	}
	manyOf(b, "login", string(text), `{"session": {"login": "pri_a", "member": true, "teams": ["platform"]}, "spaces": [{"id": "default"}], "request": {"timestamp_ns": 5, "remote_ip": "10.0.0.1"}}`)
}

// BenchmarkPushes decides about pushes, and records them, likewise.
func BenchmarkPushes(b *testing.B) {
	text, err := os.ReadFile("testdata/spacelift/push/monorepo.rego")
	if err != nil {
		b.Fatal(err)
	}
	manyOf(b, "push", string(text), `{"push": {"branch": "main", "affected_files": ["infra/main.tf", "docs/a.md"], "tag": "", "author": "pri_a"}, "pull_request": null, "in_progress": [],
		"stack": {"id": "net", "branch": "main", "project_root": "infra", "labels": ["urgent"]}}`)
}

func manyOf(b *testing.B, at, rego, input string) {
	b.Helper()
	s := figures(b, at, rego)
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if d, err := s.Decide(system(), at, "default", json.RawMessage(input), policy.Refs{}); err != nil || d.Denied() {
				b.Error(d, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
