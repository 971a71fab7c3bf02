package proposal

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	jobFollow   = "proposal.follow"
	jobOutside  = "proposal.outside"
	jobSayCheck = "proposal.say-check"

	// outsideEvery is how often the open proposals of an outside repository are asked for, whether a webhook told or not.
	outsideEvery = 5 * time.Minute
	openMost     = 2_000 // open proposals of one repository that are followed
)

type (
	followArgs struct {
		Repository string `json:"repository"` // id
		Number     int    `json:"number"`
	}
	outsideArgs struct {
		Repository string `json:"repository"`
	}
	sayArgs struct {
		Repository string `json:"repository"`
		Commit     string `json:"commit"`
		Name       string `json:"name"`
	}
)

func (s *Service) subscribeOutside() {
	handle := queue.HandleOptions{Timeout: 5 * time.Minute}
	queue.Handle(s.Queue, jobFollow, handle, func(ctx context.Context, a followArgs) error {
		return s.withRepository(ctx, a.Repository, func(ctx context.Context, r repository.Repository) error {
			_, err := s.follow(ctx, r, a.Number)
			return err
		})
	})
	queue.Handle(s.Queue, jobOutside, handle, func(ctx context.Context, a outsideArgs) error {
		return s.withRepository(ctx, a.Repository, s.listThere)
	})
	queue.Handle(s.Queue, jobSayCheck, handle, s.sayCheck)
	queue.Handle(s.Queue, jobSayAnswers, queue.HandleOptions{Timeout: time.Minute}, s.sayAnswers)
	s.Repositories.Beside(outsideEvery, func(ctx context.Context, id string) error { return s.withRepository(ctx, id, s.listThere) })
	s.Ledger.Subscribe("proposal.outside", []string{"repository.connected", "repository.proposal"}, s.forgeTold)
}

// withRepository does something with an outside repository, as the platform; nothing when it is gone.
func (s *Service) withRepository(ctx context.Context, id string, fn func(ctx context.Context, r repository.Repository) error) error {
	ctx = actor.AsSystem(ctx)
	r, err := s.Repositories.Platform().ByID(ctx, id)
	if fault.Is(err, fault.NotFound) || err == nil && r.Outside == nil {
		return nil
	}
	if err != nil {
		return err
	}
	err = fn(ctx, r)
	switch {
	case fault.Is(err, fault.Denied), fault.Is(err, fault.Unauthenticated): // said of the integration; the next look asks again
		return queue.Final(err)
	case fault.Is(err, fault.NotFound):
		return nil
	}
	return err
}

// askFollow has a proposal of an outside repository asked for at its forge.
func (s *Service) askFollow(ctx context.Context, tx *store.Tx, repository string, number int) error {
	a := followArgs{repository, number}
	return s.Queue.Insert(ctx, tx, jobFollow, a, queue.InsertOptions{Unique: Full(repository, number)})
}

// forgeTold asks for what a forge told of: one proposal, or with a new repository all that are open.
func (s *Service) forgeTold(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	if len(e.Refs) == 0 {
		return nil
	}
	if e.Type == "repository.connected" {
		return s.askOutside(ctx, tx, e.Refs[0])
	}
	var told repository.Happened
	if err := json.Unmarshal(e.Data, &told); err != nil {
		return fault.Wrap(err, "read entry %s", e.ID)
	}
	if told.Number > 0 {
		return s.askFollow(ctx, tx, e.Refs[0], told.Number)
	}
	found, err := openAt(ctx, tx, e.Refs[0], told.Head) // a check is of a commit
	if err != nil {
		return err
	}
	for _, p := range found {
		if err := s.askFollow(ctx, tx, e.Refs[0], p.Number); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) askOutside(ctx context.Context, tx *store.Tx, repository string) error {
	return s.Queue.Insert(ctx, tx, jobOutside, outsideArgs{repository}, queue.InsertOptions{Unique: repository})
}

// listThere asks a forge for the open proposals of a repository and follows those that are not as they are known here.
func (s *Service) listThere(ctx context.Context, r repository.Repository) error {
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return err
	}
	list, err := forge.All(openMost, func(part page.Request) (page.Of[forge.Proposal], error) {
		return f.ListProposals(ctx, name, forge.ProposalQuery{State: forge.StateOpen}, part)
	})
	if err != nil {
		return fault.Wrap(err, "list the open proposals of %s", r.FullName())
	}
	var known map[int]Proposal
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		known, err = outsideOpen(ctx, tx, r.ID)
		return err
	})
	if err != nil {
		return err
	}
	var news []int
	for _, there := range list {
		p, ok := known[there.Number]
		delete(known, there.Number)
		waits := ok && p.Auto.Way != "" // for checks, which don't change a proposal
		if !ok || waits || p.There == nil || !p.There.Changed.Equal(there.Updated) || there.Source.Commit != "" && there.Source.Commit != p.Head {
			news = append(news, there.Number)
		}
	}
	news = append(news, slices.Collect(maps.Keys(known))...) // not open there any more
	if len(news) == 0 {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, number := range news {
			if err := s.askFollow(ctx, tx, r.ID, number); err != nil {
				return err
			}
		}
		return nil
	})
}

// askSayCheck has a forge told how a check stands, if the repository lives at one.
func (s *Service) askSayCheck(ctx context.Context, tx *store.Tx, r repository.Repository, commit, name string) error {
	if r.Outside == nil {
		return nil
	}
	return s.Queue.Insert(ctx, tx, jobSayCheck, sayArgs{r.ID, commit, name}, queue.InsertOptions{Unique: r.ID + " " + commit + " " + name})
}

// sayCheck tells a forge how a check stands now.
func (s *Service) sayCheck(ctx context.Context, a sayArgs) error {
	return s.withRepository(ctx, a.Repository, func(ctx context.Context, r repository.Repository) error {
		var check Check
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			all, err := checks(ctx, tx, r.ID, a.Commit)
			for _, c := range all {
				if c.Name == a.Name {
					check = c
				}
			}
			return err
		})
		if err != nil || check.Name == "" {
			return err
		}
		f, name, err := s.Outside.Forge(ctx, r)
		if err != nil {
			return err
		}
		state := map[string]string{CheckPending: forge.CheckPending, CheckPassed: forge.CheckPassed, CheckFailed: forge.CheckFailed}[check.State]
		url := check.URL
		if check.Run != "" {
			url = s.BaseURL + "/runs/" + check.Run
		}
		err = f.SetCheck(ctx, name, a.Commit, forge.Check{Name: ownCheck + clip(check.Name, 100), State: state, Description: clip(check.Description, 140), URL: url, Updated: check.Updated})
		return fault.Wrap(err, "tell the forge of %s of the check %s", r.FullName(), check.Name)
	})
}
