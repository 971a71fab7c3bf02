package main

import "context"

// policyFigures are of decisions as the room makes them: asked and recorded on SQLite.
func policyFigures(ctx context.Context, b *bench) error {
	return b.benchmarks(ctx, "./internal/core/policy", "^Benchmark(TenPlanPolicies|Logins|Pushes)$", []bound{
		{"TenPlanPolicies", "ms/decision", b.most, 30}, {"Logins", "decisions/s", b.least, 5000}, {"Pushes", "decisions/s", b.least, 5000},
	})
}
