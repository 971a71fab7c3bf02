package stack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What notification policies of one space say neither silences nor crowds out what those above it, or beside them, say.

const (
	mostNotices = 20                 // of one rule of a policy, that one piece of news is told as
	mostOfSpace = 100                // of the policies of one space
	mostTold    = 200                // of all
	keepTold    = 7 * 24 * time.Hour // longer than a job is tried
)

// heard gives what of a decision is listened to: a policy that denies, or can't decide, silences those of its space and
// below. up are the space that is told of and those above it, the nearest first.
func heard(d policy.Decision, up []string) policy.Decision {
	silent := -1 // up to here in up
	for _, v := range d.Votes {
		if v.Error != "" || len(v.Says["deny"]) > 0 {
			silent = max(silent, placeOf(v, up))
		}
	}
	var votes []policy.Vote
	for _, v := range d.Votes {
		if placeOf(v, up) > silent {
			votes = append(votes, v)
		}
	}
	d.Votes = votes
	return d
}

// placeOf gives the place of a policy's space; -1 for one that is above no more.
func placeOf(v policy.Vote, up []string) int { return slices.Index(up, cmp.Or(v.Space, access.Root)) }

// notice is one thing that a policy has told.
type notice struct {
	policy.Given
	rule, space string
	index       int // among what the policy gave by the rule
}

// over is how many things a policy gave that are not told, and by which rules.
type over struct {
	policy string
	rules  []string
	count  int
}

// allot gives what of a decision is told. The policies of a space take turns, and so do the spaces, from the root down, so that
// the flood of one crowds out no other.
func allot(d policy.Decision, up []string) (kept []notice, left []over) {
	places, overs := map[string]int{}, map[string]*over{}
	for _, v := range d.Votes {
		places[v.Policy] = placeOf(v, up)
		overs[v.Policy] = &over{policy: v.Policy}
	}
	waiting := make([][]notice, len(up))
	for _, rule := range []string{"inbox", "pull_request", "slack", "webhook"} {
		given, more := d.First(rule, mostNotices)
		counts := map[string]int{}
		for _, g := range given {
			if place := places[g.Policy]; place >= 0 {
				waiting[place] = append(waiting[place], notice{g, rule, up[place], counts[g.Policy]})
				counts[g.Policy]++
			}
		}
		for by, count := range more {
			overs[by].add(rule, count)
		}
	}
	for _, of := range waiting {
		slices.SortStableFunc(of, func(a, b notice) int { return a.index - b.index })
	}
	for turn, more := 0, true; more; turn++ {
		more = false
		for place := len(up) - 1; place >= 0; place-- {
			of := waiting[place]
			switch {
			case turn >= len(of):
				continue
			case turn >= mostOfSpace || len(kept) >= mostTold:
				overs[of[turn].Policy].add(of[turn].rule, 1)
			default:
				kept = append(kept, of[turn])
			}
			more = true
		}
	}
	for _, v := range d.Votes {
		if o := overs[v.Policy]; o.count > 0 {
			left = append(left, *o)
		}
	}
	return kept, left
}

func (o *over) add(rule string, count int) {
	if o.count += count; !slices.Contains(o.rules, rule) {
		o.rules = append(o.rules, rule)
	}
}

// leftOut says of each policy what is not told.
func leftOut(of Message, all []over) (entries []ledger.Entry, err error) {
	for _, o := range all {
		of.Policy = o.policy
		entry, err := refusal(of, strings.Join(o.rules, ", "), fault.Errorf(fault.TooLarge,
			"at most %d things are told by each rule of a policy, %d by the policies of a space and %d in all; %d more are left out", mostNotices, mostOfSpace, mostTold, o.count))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// messageKey is the same for a message that is sent again, since its policies were asked again.
func messageKey(told, policy, rule string, index int) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{told, policy, rule, strconv.Itoa(index)}, "\n")))
	return hex.EncodeToString(sum[:])
}

// isTold tells whether all was told that follows of an entry.
func (s *Service) isTold(ctx context.Context, entry string) (is bool, err error) {
	var n int
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT count(*) FROM stack_told WHERE entry = $1", entry).Scan(&n)
	})
	return n > 0, fault.Wrap(err, "look whether %s was told", entry)
}

// markTold tells whether nothing that follows of an entry was told before.
func markTold(ctx context.Context, tx *store.Tx, entry string, now time.Time) (first bool, err error) {
	if _, err := tx.Exec(ctx, "DELETE FROM stack_told WHERE at < $1", store.Micros(now.Add(-keepTold))); err != nil {
		return false, fault.Wrap(err, "forget what was told")
	}
	n, err := tx.Exec(ctx, "INSERT INTO stack_told (entry, at) VALUES ($1, $2) ON CONFLICT (entry) DO NOTHING", entry, store.Micros(now))
	return n > 0, fault.Wrap(err, "mark %s as told", entry)
}
