package server

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// stackWords are the commands by comment that the room of stacks carries out.
func stackWords() (words []proposal.Word) {
	for i, name := range stack.CommandNames() {
		w := proposal.Word{Name: name, Logged: true}
		if i == 0 { // the others are what people are used to
			w.Arguments, w.Help = stack.CommandArguments, stack.CommandHelp
		}
		words = append(words, w)
	}
	return words
}

func (f proposalFacts) Speak(ctx context.Context, repository string, number int, topic string, what stack.Speech) error {
	said := proposal.Speech{Text: what.Text}
	for _, fold := range what.Folds {
		said.Folds = append(said.Folds, proposal.Fold(fold))
	}
	return f.h.Proposals.Speak(ctx, repository, number, topic, said)
}

func (f proposalFacts) SayCheck(ctx context.Context, repository, commit string, c stack.ProposalCheck) error {
	return f.h.Proposals.SetCheck(actor.AsSystem(ctx), repository, commit, proposal.Check{Name: c.Name, State: c.State, Description: c.Text, URL: c.URL})
}

func (f proposalFacts) Commander(ctx context.Context, comment string, ordinal int) (actor.Principal, error) {
	return f.h.Proposals.Commander(ctx, comment, ordinal)
}

func (f proposalFacts) Answer(ctx context.Context, comment string, ordinal int, done bool, text string) error {
	return f.h.Proposals.Answer(ctx, comment, ordinal, done, text)
}
