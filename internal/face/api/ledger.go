package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) ledgerRoutes() {
	register(a, operation("listLedger", http.MethodGet, "/ledger", "ledger", "What changed, newest first"), a.listLedger)
	register(a, operation("verifyLedger", http.MethodGet, "/ledger/verify", "ledger", "Check the chain of hashes from its start"), a.verifyLedger)
	stream(a, operation("followLedger", http.MethodGet, "/ledger/events", "ledger", "Changes as they happen, as server-sent events"),
		map[string]any{"entry": Entry{}}, a.followLedger)
}

type listLedgerInput struct {
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string    `query:"cursor" maxLength:"40" doc:"The next of the page before."`
	Ref    string    `query:"ref" maxLength:"300" doc:"Only entries about this entity, run or id, or that touch it."`
	Type   string    `query:"type" maxLength:"500" doc:"Types with commas; a type that ends in a point stands for all that begin with it."`
	Actor  string    `query:"actor" maxLength:"64" doc:"Opaque id."`
	Run    string    `query:"run" maxLength:"64"`
	Since  time.Time `query:"since"`
}

func (a *API) ledgerQuery(ctx context.Context, in *listLedgerInput) (ledger.Query, error) {
	readable, err := a.Access.Spaces(ctx, "ledger:read")
	if err != nil {
		return ledger.Query{}, err
	}
	spaces := readable.List()
	if !readable.All && spaces == nil {
		spaces = []string{}
	}
	about, err := a.ledgerName(ctx, in.Ref)
	if err != nil {
		return ledger.Query{}, err
	}
	return ledger.Query{Types: words(in.Type), Ref: about, Actor: in.Actor, Run: in.Run, Since: in.Since, Spaces: spaces}, nil
}

// ledgerName gives what the ledger calls something: a user by an opaque id.
func (a *API) ledgerName(ctx context.Context, text string) (name string, err error) {
	if !strings.HasPrefix(text, "user:") {
		return text, nil
	}
	user, err := principalRef(text)
	if err != nil {
		return text, nil //nolint:nilerr // then it is the name of nothing
	}
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		name, err = a.Identity.PersonID(ctx, tx, user, false)
		return err
	})
	if name == "" {
		name = text
	}
	return name, err
}

func (a *API) listLedger(ctx context.Context, in *listLedgerInput) (*body[List[Entry]], error) {
	q, err := a.ledgerQuery(ctx, in)
	if err != nil {
		return nil, err
	}
	q.Descending, q.Limit = true, in.Limit+1
	if in.Cursor != "" {
		if q.Before, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || q.Before < 1 {
			return nil, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", in.Cursor)
		}
	}
	entries, err := a.readLedger(ctx, q)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(entries) > in.Limit {
		entries = entries[:in.Limit]
		next = strconv.FormatInt(entries[in.Limit-1].Position, 10)
	}
	return list(entries, next), nil
}

func (a *API) readLedger(ctx context.Context, q ledger.Query) ([]Entry, error) {
	var entries []ledger.Entry
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		entries, err = a.Ledger.List(ctx, tx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		ids = append(append(ids, e.Actor, e.Subject), e.Refs...)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	shown := func(name string) string {
		if ref.IsID(name, ref.Principal) {
			return cmp.Or(who(name).Ref, name)
		}
		return name
	}
	out := make([]Entry, len(entries))
	for i, e := range entries {
		refs := slices.Clone(e.Refs)
		for j := range refs {
			refs[j] = shown(refs[j])
		}
		out[i] = Entry{
			Position: e.Position, ID: e.ID, Time: e.Time.UTC(), Actor: who(e.Actor), Space: e.Space, Type: e.Type, Subject: shown(e.Subject),
			Refs: refs, Run: e.Run, Cause: e.Cause, Data: e.Data, Hash: hex.EncodeToString(e.Hash),
		}
	}
	return out, nil
}

func (a *API) verifyLedger(ctx context.Context, _ *none) (*body[Verification], error) {
	if err := a.Access.Authorize(ctx, "ledger:verify", "default"); err != nil {
		return nil, err
	}
	r, err := ledger.Verify(ctx, a.DB)
	if err != nil {
		return nil, err
	}
	v := Verification{Entries: r.Entries, Head: r.Head, HeadHash: hex.EncodeToString(r.HeadHash), Whole: r.Broken == nil}
	if r.Broken != nil {
		v.BrokenAt, v.Why = r.Broken.Position, r.Broken.Why
	}
	return answer(v), nil
}

type followLedgerInput struct {
	Ref         string `query:"ref" maxLength:"300"`
	Type        string `query:"type" maxLength:"500"`
	LastEventID string `header:"Last-Event-ID" doc:"Position of the entry that was seen last; empty to begin now."`
}

func (a *API) followLedger(ctx context.Context, in *followLedgerInput, send sse.Sender) {
	seen := int64(number(in.LastEventID))
	if in.LastEventID == "" {
		err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
			seen, _, err = a.Ledger.Head(ctx, tx)
			return err
		})
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
	}
	for {
		q, err := a.ledgerQuery(ctx, &listLedgerInput{Ref: in.Ref, Type: in.Type})
		var entries []Entry
		if err == nil {
			q.After, q.Limit = seen, 200
			entries, err = a.readLedger(ctx, q)
		}
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
		for _, e := range entries {
			if send(sse.Message{ID: int(e.Position), Data: e}) != nil {
				return
			}
			seen = e.Position
		}
		if len(entries) == 0 {
			head := seen
			if err := a.Ledger.Wait(ctx, seen); err != nil {
				return
			}
			_ = a.DB.Read(ctx, func(tx *store.Tx) (err error) { // entries that are not for this reader are passed over
				head, _, err = a.Ledger.Head(ctx, tx)
				return err
			})
			if more, err := a.readLedger(ctx, ledger.Query{After: seen, Types: q.Types, Ref: q.Ref, Spaces: q.Spaces, Limit: 1}); err == nil && len(more) == 0 {
				seen = head
			}
		}
	}
}
