package proposal

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// States of a command.
const (
	CommandWaiting = "waiting"
	CommandDone    = "done"
	CommandRefused = "refused"
	CommandPassed  = "passed" // to the product that knows it, which answers with Answer
)

// commandsMost bounds what one comment commands; argumentsLimit what is said after one command, in bytes.
const (
	commandsMost   = 10
	argumentsLimit = 1000
	answerLimit    = 2000
)

// Command is a line /NAME ARGUMENTS of a comment. It is carried out once, as who said it, with the rights that they have
// then, and no others than their token had.
type Command struct {
	Comment   string // id
	Ordinal   int    // in the comment
	Proposal  string // id
	Name      string
	Arguments string
	Author    string
	State     string
	Answer    string // what happened, or why not
	Created   time.Time

	scopes []string
	there  string // the forge's id of the comment; "" of one that was said here
}

// Word is a command that another product carries out: it follows the entries proposal.commanded that name it.
type Word struct {
	Name, Arguments, Help string
	Logged                bool // at a forge, the answer stands in the platform's one comment, see Speak
}

// loggedWords gives the words whose answers stand in the platform's one comment.
func (s *Service) loggedWords() (names []string) {
	for _, w := range s.Words {
		if w.Logged {
			names = append(names, w.Name)
		}
	}
	return names
}

func (s *Service) isLogged(c Command) bool { return slices.Contains(s.loggedWords(), c.Name) }

// deed is a command of this room. do gives what to answer; record goes into the transaction of what it changes, where
// that is one.
type deed struct {
	Word
	do func(s *Service, ctx context.Context, o order) (answer string, err error)
}

// order is a command on its way.
type order struct {
	Command
	repo   string
	p      Proposal
	record func(answer string) also
}

func deeds() []deed {
	return []deed{
		{Word{Name: "approve", Help: "approve the head"}, (*Service).doApprove},
		{Word{Name: "merge", Arguments: "[squash|rebase|merge]", Help: "merge it, in the first way that the rules let when none is said"}, (*Service).doMerge},
		{Word{Name: "auto-merge", Arguments: "[squash|rebase|merge|off]", Help: "merge it when nothing is in the way any more"}, (*Service).doAuto},
		{Word{Name: "close", Help: "end it without merging it"}, (*Service).doClose},
		{Word{Name: "reopen", Help: "open it again"}, (*Service).doReopen},
		{Word{Name: "retry", Arguments: "[CHECK]", Help: "run what failed again: all failed checks of runs, or the one named; also /rerun"}, (*Service).doRetry},
		{Word{Name: "rerun", Arguments: "[CHECK]"}, (*Service).doRetry},
		{Word{Name: "rebase", Help: "make its commits anew on its target"}, (*Service).doRebase},
		{Word{Name: "update", Help: "merge its target into its source"}, (*Service).doUpdate},
		{Word{Name: "assign", Arguments: "[@NAME]...", Help: "have these people look after it, or oneself"}, (*Service).doAssign},
		{Word{Name: "unassign", Arguments: "[@NAME]...", Help: "no longer these people, or oneself"}, (*Service).doUnassign},
		{Word{Name: "title", Arguments: "TEXT", Help: "call it otherwise"}, (*Service).doTitle},
		{Word{Name: "draft", Help: "it is not ready yet"}, (*Service).doDraft},
		{Word{Name: "ready", Help: "it is ready"}, (*Service).doReady},
		{Word{Name: "help", Help: "say these words"}, (*Service).doHelp},
	}
}

var commandLine = regexp.MustCompile(`^/([a-z][a-z-]{0,30})(?:[ \t]+(.*))?$`)

// habit is a line that commands without the stroke, as people say it to Atlantis.
var habit = regexp.MustCompile(`^(atlantis)[ \t]+((?:plan|apply|unlock|help)(?:[ \t].*)?)$`)

// commandsIn gives what a text commands, and whether it says nothing else. Code and quotes command nothing.
func commandsIn(text string) (out []Command, alone bool) {
	alone = true
	for _, l := range linesOf(text) {
		line := strings.TrimRight(l.text, " \t")
		m := commandLine.FindStringSubmatch(line)
		if m == nil {
			m = habit.FindStringSubmatch(line)
		}
		switch {
		case m != nil && !l.code && !l.mute:
			out = append(out, Command{Ordinal: len(out), Name: m[1], Arguments: strings.TrimSpace(m[2])})
		case strings.TrimSpace(l.text) != "":
			alone = false
		}
	}
	return out, alone
}

// command keeps what a comment commands, tells the ledger, and asks for it to be carried out, in the transaction of the
// comment. A word that nobody knows is told so, unless it stands among others: it may have been meant as one; at a forge
// it may be meant for somebody else.
func (s *Service) command(ctx context.Context, tx *store.Tx, r repository.Repository, p Proposal, comment Comment) ([]Command, error) {
	given, alone := commandsIn(comment.Body)
	me := actor.From(ctx)
	abroad := comment.writtenThere()
	var kept []Command
	for _, c := range given {
		c.Comment, c.Proposal, c.Author, c.scopes, c.Created, c.State = comment.ID, p.ID, me.ID, me.Scopes, s.Now(), CommandWaiting
		if abroad {
			c.there = comment.There
		}
		own := slices.ContainsFunc(deeds(), func(d deed) bool { return d.Name == c.Name })
		others := slices.ContainsFunc(s.Words, func(w Word) bool { return w.Name == c.Name })
		switch {
		case !own && !others && (abroad || !alone):
			continue
		case len(c.Arguments) > argumentsLimit:
			c.Arguments = clip(c.Arguments, argumentsLimit)
			c.State, c.Answer = CommandRefused, "it is too long"
		case len(kept) >= commandsMost:
			c.State, c.Answer = CommandRefused, fmt.Sprintf("a comment has at most %d commands", commandsMost)
		case abroad && s.unheeded(comment, c.Name) != "":
			c.State, c.Answer = CommandRefused, s.unheeded(comment, c.Name)
		case others:
			c.State = CommandPassed
		case !own:
			c.State, c.Answer = CommandRefused, "there is no command /"+c.Name+"; /help says which there are"
		}
		if len(kept) > 2*commandsMost {
			break
		}
		c.Ordinal = len(kept)
		kept = append(kept, c)
		if err := insertCommand(ctx, tx, c); err != nil {
			return nil, err
		}
		data := map[string]any{"comment": comment.ID, "ordinal": c.Ordinal, "name": c.Name, "arguments": c.Arguments, "state": c.State, "head": p.Head, "source": p.Source, "target": p.Target}
		if abroad && p.There != nil && !comment.Created.After(p.There.Pushed) {
			data["unseen"] = true // the head may be newer than the comment
		}
		if err := s.tell(ctx, tx, r, p, "proposal.commanded", data); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(kept, func(c Command) bool { return c.State == CommandWaiting }) {
		if err := s.Queue.Insert(ctx, tx, jobObey, obeyArgs{comment.ID}, queue.InsertOptions{Unique: comment.ID}); err != nil {
			return nil, err
		}
	}
	for _, c := range kept {
		if err := s.askAnswers(ctx, tx, c); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// obey carries out what a comment commands, in its order. Each command's record is in the transaction of its change; what
// moves branches is looked at before, and done only when it is not done yet.
func (s *Service) obey(ctx context.Context, comment string) error {
	var given []Command
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		given, err = commandsOf(ctx, tx, []string{comment})
		return err
	})
	if err != nil {
		return fault.Wrap(err, "read the commands of %s", comment)
	}
	for _, c := range given {
		if c.State != CommandWaiting {
			continue
		}
		if err := s.obeyOne(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) obeyOne(ctx context.Context, c Command) error {
	o := order{Command: c}
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		o.p, err = byID(ctx, tx, c.Proposal, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := s.Repositories.Platform().ByID(ctx, o.p.Repository)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	o.repo = r.FullName()
	settled := false
	settle := func(ctx context.Context, tx *store.Tx, state, answer string) error {
		c.State, c.Answer = state, clip(answer, answerLimit)
		changed, err := saveAnswer(ctx, tx, c)
		if err != nil || !changed {
			return err
		}
		if err := s.askAnswers(ctx, tx, c); err != nil {
			return err
		}
		return s.tell(ctx, tx, r, o.p, "proposal.answered", map[string]any{"comment": c.Comment, "name": c.Name, "state": state, "answer": clip(answer, 500)})
	}
	o.record = func(answer string) also {
		return func(tx *store.Tx) error { settled = true; return settle(actor.AsSystem(ctx), tx, CommandDone, answer) }
	}
	answer, err := s.asAuthor(ctx, o)
	if err == nil && settled {
		return nil
	}
	state := CommandDone
	switch {
	case err == nil:
	case fault.Is(err, fault.Internal), fault.Is(err, fault.Unavailable), fault.Is(err, fault.Canceled):
		return err // the queue tries again
	default:
		state, answer = CommandRefused, fault.Message(err)
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error { return settle(ctx, tx, state, answer) })
}

// asAuthor carries a command out as who said it.
func (s *Service) asAuthor(ctx context.Context, o order) (string, error) {
	who, err := s.People.Principal(ctx, o.Author)
	if fault.Is(err, fault.NotFound) {
		return "", fault.Errorf(fault.Denied, "commands are for users and machines that are there")
	}
	if err != nil {
		return "", err
	}
	who.Scopes = o.scopes
	ctx = actor.With(ctx, who)
	all := deeds()
	i := slices.IndexFunc(all, func(d deed) bool { return d.Name == o.Name })
	if i < 0 {
		return "", fault.Errorf(fault.Invalid, "there is no command /%s", o.Name)
	}
	if _, _, err := s.find(ctx, repository.Write, o.repo, o.p.Number); err != nil && o.Name != "help" {
		return "", err
	}
	return all[i].do(s, ctx, o)
}

// Commander gives who gave a command that was passed on, held to what their token was held to; NotFound when it does not
// wait for an answer any more. Denied when they are not there any more. It asks for no right, as Answer.
func (s *Service) Commander(ctx context.Context, comment string, ordinal int) (who actor.Principal, err error) {
	var given []Command
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		given, err = commandsOf(ctx, tx, []string{comment})
		return err
	})
	if err != nil {
		return who, fault.Wrap(err, "read the commands of %.100s", comment)
	}
	i := slices.IndexFunc(given, func(c Command) bool { return c.Ordinal == ordinal && c.State == CommandPassed })
	if i < 0 {
		return who, fault.Errorf(fault.NotFound, "nothing that comment %.100s commands waits for an answer", comment)
	}
	if who, err = s.People.Principal(ctx, given[i].Author); fault.Is(err, fault.NotFound) {
		return who, fault.Errorf(fault.Denied, "commands are for users and machines that are there")
	}
	who.Scopes = given[i].scopes
	return who, err
}

// Answer says what became of a command that was passed on. It asks for no right: it is for the rooms of products.
func (s *Service) Answer(ctx context.Context, comment string, ordinal int, done bool, text string) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		given, err := commandsOf(ctx, tx, []string{comment})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(given, func(c Command) bool { return c.Ordinal == ordinal && c.State == CommandPassed })
		if i < 0 {
			return fault.Errorf(fault.NotFound, "nothing that comment %.100s commands waits for an answer", comment)
		}
		c := given[i]
		if c.State, c.Answer = CommandRefused, clip(text, answerLimit); done {
			c.State = CommandDone
		}
		p, err := byID(ctx, tx, c.Proposal, "")
		if err != nil {
			return err
		}
		r, err := s.Repositories.Platform().ByIDTx(ctx, tx, p.Repository)
		if err != nil {
			return err
		}
		if _, err := saveAnswer(ctx, tx, c); err != nil {
			return err
		}
		if err := s.askAnswers(ctx, tx, c); err != nil {
			return err
		}
		return s.tell(ctx, tx, r, p, "proposal.answered", map[string]any{"comment": c.Comment, "name": c.Name, "state": c.State, "answer": clip(text, 500)})
	})
}
