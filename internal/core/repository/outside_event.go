package repository

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Happened is the Data of a repository.proposal entry: what a forge tells of a proposal, a comment, a review or a check.
type Happened struct {
	Repository string `json:"repository"` // NAMESPACE/NAME
	Kind       string `json:"kind"`       // proposal, comment, review or check
	Action     string `json:"action,omitempty"`
	Number     int    `json:"number,omitempty"` // of the proposal
	Source     string `json:"source,omitempty"` // branch
	Target     string `json:"target,omitempty"` // branch
	Head       string `json:"head,omitempty"`   // commit
	Check      string `json:"check,omitempty"`  // name
	State      string `json:"state,omitempty"`  // of the proposal, or of the check
	Sender     string `json:"sender,omitempty"` // opaque id of the account at the forge
	URL        string `json:"url,omitempty"`
}

// Handle takes what a forge told of a repository, by a webhook whose signature was checked. The same event twice changes
// nothing. outcome says for people what came of it, "" when it is about no repository that is connected; an error means
// that it should come again.
func (s *Service) Handle(ctx context.Context, integration string, e forge.Event) (outcome string, err error) {
	ctx = actor.AsSystem(ctx)
	integration = strings.ToLower(integration)
	if e.Repository.ID == "" && e.Repository.Name == "" {
		return "", nil
	}
	var r Repository
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err = byRemote(ctx, tx, integration, e.Repository.ID, e.Repository.Name)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	s.watches.with(r.ID, func(w *watch) { w.hooked = s.now() })
	switch e.Kind {
	case forge.KindPush:
		if e.Push == nil {
			return "it tells of no reference", nil
		}
		return s.handlePush(ctx, r, e)
	case forge.KindRepository:
		return s.handleChange(ctx, r, e)
	case forge.KindProposal, forge.KindComment, forge.KindReview, forge.KindCheck:
		return s.handleProposal(ctx, r, e)
	}
	return "nothing follows from it", nil
}

func (s *Service) handlePush(ctx context.Context, r Repository, e forge.Event) (string, error) {
	p := *e.Push
	if !strings.HasPrefix(p.Ref, "refs/heads/") && !strings.HasPrefix(p.Ref, "refs/tags/") {
		return p.Ref + " is not followed", nil
	}
	hash := cmp.Or(p.New, Zero)
	by, err := s.senderOf(ctx, r, e)
	if err != nil {
		return "", err
	}
	m := mark{actor: by, sender: e.Sender.ID, cause: ledger.Cause(ctx)}
	if err := s.look(ctx, r.ID, ask{forced: true, pushes: []sent{{ref: p.Ref, old: p.Old, hash: hash, by: m}}}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s was fetched into %s", p.Ref, r.FullName()), nil
}

// senderOf gives the principal that an account of the forge is, or the platform when nobody is known to be it.
func (s *Service) senderOf(ctx context.Context, r Repository, e forge.Event) (who string, err error) {
	if s.outside.Accounts != nil && e.Sender.Login != "" {
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			who, err = s.outside.Accounts.Account(ctx, tx, host(r.Outside.URL), e.Sender.Login)
			return err
		})
	}
	if err == nil && who == "" {
		who = "system"
	}
	return who, err
}

// handleChange follows what happened to a repository at its forge. Nothing is deleted here.
func (s *Service) handleChange(ctx context.Context, r Repository, e forge.Event) (string, error) {
	if e.Change == nil {
		return "it tells of no change", nil
	}
	renamed := e.Change.Action == forge.RepositoryRenamed || e.Change.Action == forge.RepositoryTransferred
	if renamed && e.Repository.ID == r.Outside.RemoteID && e.Repository.Name != "" && e.Repository.Name != r.Outside.Remote {
		there := forge.Repository{
			ID: r.Outside.RemoteID, Name: e.Repository.Name, URL: r.Outside.URL, DefaultBranch: r.DefaultBranch, Archived: r.Archived, Private: r.Outside.Private,
		}
		if e.Repository.URL != "" {
			there.URL = e.Repository.URL
		}
		if err := s.obey(ctx, &r, there); err != nil {
			return "", err
		}
	}
	err := s.look(ctx, r.ID, ask{forced: true})
	if e.Change.Action == forge.RepositoryDeleted && fault.Is(err, fault.NotFound) {
		return fmt.Sprintf("%s is gone at the forge; %s stays until somebody disconnects it", e.Repository.Name, r.FullName()), nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s follows it", r.FullName()), nil
}

// handleProposal appends the one entry that products follow.
func (s *Service) handleProposal(ctx context.Context, r Repository, e forge.Event) (string, error) {
	h := Happened{Repository: r.FullName(), Kind: string(e.Kind), Sender: e.Sender.ID}
	switch {
	case e.Proposal != nil:
		p := e.Proposal.Proposal
		h.Action, h.Number, h.State, h.URL = e.Proposal.Action, p.Number, p.State, p.URL
		h.Source, h.Target, h.Head = p.Source.Branch, p.Target.Branch, p.Source.Commit
	case e.Check != nil:
		h.Head, h.Check, h.State, h.URL = e.Check.Commit, e.Check.Check.Name, e.Check.Check.State, e.Check.Check.URL
	default:
		return "it tells of no proposal", nil
	}
	by, err := s.senderOf(ctx, r, e)
	if err != nil {
		return "", err
	}
	same := e
	same.Delivery = "" // another one when it is sent again
	content, err := json.Marshal(same)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	fresh := false
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if fresh, err = addTold(ctx, tx, r.ID, hex.EncodeToString(sum[:]), s.now()); err != nil || !fresh {
			return err
		}
		data, err := json.Marshal(h)
		if err != nil {
			return err
		}
		_, err = s.ledger.Append(ctx, tx, ledger.Entry{Actor: by, Space: now.Space, Type: "repository.proposal", Subject: now.Subject(), Refs: []string{r.ID}, Data: data})
		return err
	})
	switch {
	case err != nil:
		return "", fault.Wrap(err, "record what the forge told of %s", r.FullName())
	case !fresh:
		return "it is in the ledger already", nil
	}
	return fmt.Sprintf("%s %s of %s is in the ledger", h.Kind, h.Action, r.FullName()), nil
}
