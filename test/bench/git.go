package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// person runs git as one does at home: with an identity, a token where one is needed, and nothing of this machine's.
type person struct {
	home string
	env  []string
}

// newPerson makes one whose git sends a token; "" sends none.
func newPerson(home, token string) (*person, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	config := [][2]string{
		{"user.name", "Bench"}, {"user.email", "bench@example.com"}, {"gc.auto", "0"}, {"maintenance.auto", "false"}, {"init.defaultBranch", "main"},
		{"protocol.version", "2"}, {"advice.detachedHead", "false"}, {"safe.directory", "*"},
	}
	if token != "" {
		config = append(config, [2]string{"http.extraHeader", "Authorization: Bearer " + token})
	}
	p := &person{home: home, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(config)),
	}}
	for i, pair := range config {
		p.env = append(p.env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, pair[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, pair[1]))
	}
	return p, nil
}

// git runs a command in a folder and gives what it says; a path that is not absolute is below home.
func (p *person) git(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := p.gitWith(ctx, dir, "", args...)
	return strings.TrimSpace(out), err
}

// gitWith gives a command its input, and what it says as it is.
func (p *person) gitWith(ctx context.Context, dir, input string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "git", args...)
	if c.Dir = dir; !filepath.IsAbs(dir) {
		c.Dir = filepath.Join(p.home, dir)
	}
	c.Env, c.Stdin = p.env, strings.NewReader(input)
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, complaint.String())
	}
	return string(out), nil
}

// timed runs a command and gives how long it took.
func (p *person) timed(ctx context.Context, dir string, args ...string) (time.Duration, error) {
	began := time.Now()
	_, err := p.git(ctx, dir, args...)
	return time.Since(began), err
}

// spread is how long something took, each time.
type spread []time.Duration

// at gives the time within which a part of all, from 0 to 1, came to their end, in milliseconds.
func (s spread) at(part float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)].Seconds() * 1000
}

// ratio gives the median of how much longer each of s took than what ran beside it.
func (s spread) ratio(other spread) float64 {
	ratios := make([]float64, len(s))
	for i := range s {
		ratios[i] = s[i].Seconds() / other[i].Seconds()
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// print prints the usual two figures of a spread.
func (s spread) show(name string) {
	figure(name+"_p50", s.at(0.5), "ms")
	figure(name+"_p99", s.at(0.99), "ms")
}

// turn gives the order in which n sides take their turns in a round, so that none is always the first.
func turn(round, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (round + i) % n
	}
	return order
}
