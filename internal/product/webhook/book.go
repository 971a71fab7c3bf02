package webhook

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Book is the webhooks that take messages about a space, read once, so that many messages find theirs without asking again.
type Book struct {
	space    string
	up       []string // the space, then those above it
	all      []Webhook
	place    []int            // of each webhook's space in up
	ids      map[string]int   // in all, by id
	channels map[string][]int // in all, by channel of Slack
}

// Book gives the webhooks that take messages about a space. It asks for no right.
func (s *Service) Book(ctx context.Context, space string) (Book, error) {
	b := Book{space: space, ids: map[string]int{}, channels: map[string][]int{}}
	var err error
	if b.up, err = s.Access.Ancestors(ctx, space); err != nil {
		return b, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		b.all, b.place = nil, nil
		for place, one := range b.up { // each by itself, so that no space crowds out another
			rows, err := tx.Query(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE space = $1 AND disabled = 0 ORDER BY ref LIMIT $2", one, mostWebhooks)
			found, err := store.Collect(rows, err, scanWebhook)
			if err != nil {
				return err
			}
			b.all, b.place = append(b.all, found...), append(b.place, slices.Repeat([]int{place}, len(found))...)
		}
		return nil
	})
	for i, w := range b.all {
		b.ids[w.ID()] = i
		if w.Spec.Slack == nil {
			continue
		}
		for _, channel := range w.Spec.Slack.Channels {
			if of := b.channels[channel]; len(of) == 0 || of[len(of)-1] != i {
				b.channels[channel] = append(of, i)
			}
		}
	}
	return b, fault.Wrap(err, "find the webhooks of space %s", space)
}

// Webhooks gives all: those of the space, then of those above it, the nearest first.
func (b Book) Webhooks() []Webhook { return b.all }

// Addressed gives the webhook that a policy of a space may send to, by the webhook's id or as the one for a channel of Slack:
// that of the policy's own space goes first, then those above it, then those below, the nearest first. NotFound when there is
// none, Denied when it is not for that policy.
func (b Book) Addressed(policySpace, id, channel string) (found Webhook, err error) {
	from := slices.Index(b.up, policySpace)
	if from < 0 {
		return found, fault.Errorf(fault.NotFound, "the policy's space %s is not above space %s any more", policySpace, b.space)
	}
	meant := b.channels[channel]
	if channel == "" {
		if i, is := b.ids[strings.ToLower(id)]; is {
			meant = []int{i}
		}
	}
	refused, below := -1, -1
	for _, i := range meant { // up from the space
		switch w := b.all[i]; {
		case b.place[i] == from || b.place[i] > from && w.Spec.Shared:
			return w, nil
		case b.place[i] > from && refused < 0:
			refused = i
		case b.place[i] < from && (below < 0 || b.place[i] > b.place[below]):
			below = i
		}
	}
	switch {
	case refused >= 0: // what was meant is above, and none below takes its place
		w := b.all[refused]
		return found, fault.Errorf(fault.Denied, "webhook %s belongs to space %s, above the policy's space %s, and is not shared", w.ID(), w.Space, policySpace)
	case below >= 0:
		return b.all[below], nil
	case channel != "":
		return found, fault.Errorf(fault.NotFound, "no webhook of space %s or above is for channel %.100q of Slack; name it in spec.slack.channels of one", b.space, channel)
	}
	return found, fault.Errorf(fault.NotFound, "there is no webhook %.100q in space %s or above", id, b.space)
}
