package identity

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Login policies lend a session roles and groups, or hold it to what a developer may. What they say is kept with the
// session, ends with it, and ends as well when a login policy changes: then the person signs in again, and is asked about
// anew. Tokens that such a session makes have nothing of what it is lent, and end with it (see lender.go).

// special tells whether the login policies gave a session something, or took something from it, or gave something to one by
// which it was opened.
func (s session) special() bool { return s.Held || s.lends() != "" }

// actsIn has a principal act in a session: with what it is lent, and within what it is held to.
func (s *Service) actsIn(ctx context.Context, p actor.Principal, in session) (actor.Principal, error) {
	p.Token = in.ID
	if in.Held {
		p.Scopes = access.HeldTo()
	}
	if len(in.Lent) == 0 {
		return p, nil
	}
	var err error
	p.Lent = in.Lent
	p.Groups, err = s.access.GroupsIn(ctx, p)
	return p, err
}

// Resume gives a principal as it acts now in the session that it presented a while ago, or by the token. Unauthenticated
// as Alive says it.
func (s *Service) Resume(ctx context.Context, p actor.Principal) (actor.Principal, error) {
	if err := s.Alive(ctx, p); err != nil || !ref.IsID(p.Token, ref.Session) {
		return p, err
	}
	var in session
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		in, err = sessionByID(ctx, tx, p.Token)
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && in.Principal != p.ID:
		return p, errSession()
	case err != nil:
		return p, fault.Wrap(err, "read the session")
	}
	return s.actsIn(ctx, p, in)
}

// noted is what the ledger keeps of how a session came to what it may.
type noted struct {
	Decision   string       `json:"decision"`
	Held       bool         `json:"held,omitempty"`
	Lent       []actor.Lent `json:"lent,omitempty"`
	MoreLent   int          `json:"more_lent,omitempty"` // that are not listed; the decision has all
	Beyond     []string     `json:"beyond,omitempty"`
	MoreBeyond int          `json:"more_beyond,omitempty"`
}

// admitted is noted of an admission, within what an entry takes; nothing where the person's own rights are all.
func admitted(a access.Admission) any {
	const most = 6 << 10 // bytes of both lists, of ledger.MaxData
	if !a.Held && len(a.Lent)+len(a.Beyond) == 0 {
		return nil
	}
	n := noted{Decision: a.Decision, Held: a.Held}
	var used int
	n.Lent, used = first(a.Lent, most*2/3)
	n.Beyond, _ = first(a.Beyond, most-used)
	n.MoreLent, n.MoreBeyond = len(a.Lent)-len(n.Lent), len(a.Beyond)-len(n.Beyond)
	return n
}

// first gives those that have at most so many bytes together, as JSON, and how many they have.
func first[T any](all []T, most int) (some []T, used int) {
	for _, one := range all {
		raw, err := json.Marshal(one)
		if err != nil || used+len(raw)+1 > most {
			break
		}
		some, used = append(some, one), used+len(raw)+1
	}
	return some, used
}

// judgedAt counts the changes of login policies so far.
func judgedAt(ctx context.Context, tx *store.Tx, lock string) (n int64, err error) {
	err = tx.QueryRow(ctx, `SELECT n FROM identity_judged WHERE id = 1`+lock).Scan(&n)
	return n, err
}

func encodeLent(all []actor.Lent) (string, error) {
	if len(all) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(all)
	return string(raw), err
}

func decodeLent(text string) (all []actor.Lent, err error) {
	if text == "" {
		return nil, nil
	}
	return all, json.Unmarshal([]byte(text), &all)
}
