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

// What notification policies of one space say neither silences nor crowds out what those above it say.

const (
	mostNotices = 20                 // of one rule of a policy, that one state of a run is told as
	keepTold    = 7 * 24 * time.Hour // longer than a job is tried
)

// heard gives what of a decision is listened to: a policy that denies, or can't decide, silences those of its space and
// below.
func heard(d policy.Decision, within func(space, root string) (bool, error)) (policy.Decision, error) {
	var silent []string
	for _, v := range d.Votes {
		if space := cmp.Or(v.Space, access.Root); (v.Error != "" || len(v.Says["deny"]) > 0) && !slices.Contains(silent, space) {
			silent = append(silent, space)
		}
	}
	var votes []policy.Vote
	for _, v := range d.Votes {
		below := false
		for _, space := range silent {
			var err error
			if below, err = within(cmp.Or(v.Space, access.Root), space); err != nil {
				return d, err
			}
			if below {
				break
			}
		}
		if !below {
			votes = append(votes, v)
		}
	}
	d.Votes = votes
	return d, nil
}

// over is how many things a policy gave by a rule that are not told.
type over struct {
	policy string
	count  int
}

// perPolicy gives what is told of what policies gave by a rule: of each policy so many.
func perPolicy(given []policy.Given) (kept []policy.Given, left []over) {
	counts := map[string]int{}
	for _, g := range given {
		if counts[g.Policy]++; counts[g.Policy] <= mostNotices {
			kept = append(kept, g)
			continue
		}
		if i := slices.IndexFunc(left, func(o over) bool { return o.policy == g.Policy }); i >= 0 {
			left[i].count++
		} else {
			left = append(left, over{g.Policy, 1})
		}
	}
	return kept, left
}

// leftOut says of each policy what of a rule is not told.
func leftOut(of Message, rule string, all []over) (entries []ledger.Entry, err error) {
	for _, o := range all {
		of.Policy = o.policy
		entry, err := refusal(of, rule, fault.Errorf(fault.TooLarge, "a policy has at most %d things told of a state by the rule %s; %d more are left out", mostNotices, rule, o.count))
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
