package proposal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// The platform has one comment of a proposal, in which products say how things stand, each under a topic of its own. What
// they say is kept first (Speak), and a job has the comment be that: it is edited and never said twice, since it is found
// again by its id, and where that was not learned, by a mark. At a forge it has what became of the commands that are
// answered there, see Word.

const (
	jobVoice      = "proposal.voice"
	topicsMost    = 10       // of one proposal
	speechLimit   = 40 << 10 // bytes of what is said under one topic
	voiceLimit    = 60_000   // bytes of the comment: GitHub takes 65,536 characters
	answersShown  = 5        // newest commands whose answers the comment has
	strangersMost = 5        // accounts of one proposal that are told that they are nobody's
)

// Speech is what a product says of a proposal. It is Markdown; what stands in a Fold is shown when somebody opens it.
type Speech struct {
	Text  string `json:"text"`
	Folds []Fold `json:"folds,omitempty"`
}

// Fold is a part of a speech below a title, which is plain text.
type Fold struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Speak has the platform's comment say something under a topic; the zero Speech takes it back. It asks for no right: it is
// for the rooms of products.
func (s *Service) Speak(ctx context.Context, repo string, number int, topic string, what Speech) error {
	r, p, err := s.find(actor.AsSystem(ctx), repository.Read, repo, number)
	if err != nil {
		return err
	}
	what.fit(speechLimit)
	text, err := json.Marshal(what)
	if err != nil {
		return fault.Wrap(err, "encode what is said of a proposal")
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		known, err := speeches(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		before, there := known[topic]
		switch {
		case what.Text == "" && len(what.Folds) == 0:
			if !there {
				return nil
			}
			_, err = tx.Exec(ctx, "DELETE FROM proposal_speeches WHERE proposal = $1 AND topic = $2", p.ID, topic)
		case there && before == string(text):
			return nil
		case !there && len(known) >= topicsMost:
			return fault.Errorf(fault.TooLarge, "%d things are said of %s already; say it under one of their topics", topicsMost, Full(r.FullName(), number))
		default:
			_, err = tx.Exec(ctx, `INSERT INTO proposal_speeches (proposal, topic, speech) VALUES ($1,$2,$3)
 ON CONFLICT (proposal, topic) DO UPDATE SET speech = excluded.speech`, p.ID, topic, string(text))
		}
		if err != nil {
			return fault.Wrap(err, "keep what is said of a proposal")
		}
		return s.askVoice(ctx, tx, p.ID)
	})
}

// fit cuts a speech to a number of bytes, at the end of a fold or of a line, and says so.
func (w *Speech) fit(limit int) {
	const cut = "\n\n*The rest does not fit here; the pages behind the links have all of it.*"
	w.Text = strings.ReplaceAll(strings.ToValidUTF8(w.Text, "�"), "\x00", "")
	kept, left := 0, limit-len(w.Text)
	for _, f := range w.Folds {
		const around = 100 // what folds it, or makes its title one
		if left -= len(f.Text) + len(escaped(f.Title)) + around; left < len(cut) {
			break
		}
		kept++
	}
	if kept == len(w.Folds) && len(w.Text) <= limit {
		return
	}
	if w.Folds = w.Folds[:kept]; len(w.Text) > limit-len(cut) {
		short := w.Text[:max(limit-len(cut), 0)]
		if i := strings.LastIndexByte(short, '\n'); i > 0 {
			short = short[:i]
		}
		w.Text = strings.ToValidUTF8(short, "")
	}
	w.Text += cut
}

// askVoice has the platform's comment of a proposal be as it should, soon.
func (s *Service) askVoice(ctx context.Context, tx *store.Tx, proposal string) error {
	return s.Queue.Insert(ctx, tx, jobVoice, lookArgs{proposal}, queue.InsertOptions{Unique: proposal})
}

func (s *Service) subscribeVoice() {
	queue.Handle(s.Queue, jobVoice, queue.HandleOptions{Timeout: 2 * time.Minute}, s.voice)
}

// voice has the platform's comment be as it should. It can be called at any time; one at a time of each proposal, which
// the queue sees to.
func (s *Service) voice(ctx context.Context, a lookArgs) error {
	ctx = actor.AsSystem(ctx)
	var p Proposal
	var said voiced
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if p, err = byID(ctx, tx, a.Proposal, ""); err == nil {
			said, err = voiceOf(ctx, tx, p.ID)
		}
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := s.Repositories.Platform().ByID(ctx, p.Repository)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := s.voiceText(ctx, p)
	if err != nil {
		return err
	}
	if text == "" && said.comment == "" {
		return nil
	}
	if text = cmp.Or(text, "Nothing is to be said of this any more."); said.said == digest(text) {
		return nil
	}
	if p.There == nil {
		return s.voiceHere(ctx, r, p, text)
	}
	return s.withRepository(ctx, p.Repository, func(ctx context.Context, r repository.Repository) error {
		return s.voiceThere(ctx, r, p, said, text)
	})
}

// voiced is the platform's comment as it is known to stand.
type voiced struct{ comment, said string }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// voiceHere keeps the comment of a hosted proposal, in one transaction with where it is.
func (s *Service) voiceHere(ctx context.Context, r repository.Repository, p Proposal, text string) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		said, err := voiceOf(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		now := s.Now()
		c, err := commentByID(ctx, tx, p.ID, said.comment, tx.ForUpdate())
		kind := "proposal.comment-edited"
		switch {
		case err == nil:
			c.Body, c.Updated = text, now
			err = saveComment(ctx, tx, c)
		case fault.Is(err, fault.NotFound):
			kind = "proposal.commented"
			c = Comment{ID: ref.NewID(commentPrefix, now), Author: actor.From(ctx).ID, Body: text, Created: now, Updated: now}
			if err = insertComment(ctx, tx, p.ID, c); fault.Is(err, fault.TooLarge) {
				return nil // the talk is full; the page has it all the same
			}
		}
		if err != nil {
			return err
		}
		if err := saveVoice(ctx, tx, p.ID, voiced{c.ID, digest(text)}); err != nil {
			return err
		}
		return s.tell(ctx, tx, r, p, kind, map[string]any{"comment": c.ID})
	})
}

// voiceThere edits the comment at a forge, or says it there. It may have been said without this having been told so:
// before, it is looked for by its mark.
func (s *Service) voiceThere(ctx context.Context, r repository.Repository, p Proposal, said voiced, text string) error {
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return err
	}
	body := text + "\n\n" + s.voiceMark()
	id := said.comment
	if id != "" {
		_, err = f.EditComment(ctx, name, p.Number, id, body)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return fault.Wrap(err, "edit the platform's comment at the forge")
		}
		if err != nil {
			id = "" // somebody deleted it
		}
	}
	if id == "" {
		if id, err = s.sayThere(ctx, f, name, p.Number, body); err != nil {
			return err
		}
	}
	return s.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return saveVoice(ctx, tx, p.ID, voiced{id, digest(text)})
	})
}

func (s *Service) sayThere(ctx context.Context, f forge.Forge, name string, number int, body string) (id string, err error) {
	own, err := ownLogin(ctx, f)
	if err != nil {
		return "", err
	}
	all, err := forge.All(commentsMost, func(part page.Request) (page.Of[forge.Comment], error) {
		return f.ListComments(ctx, name, number, part)
	})
	if err != nil {
		return "", fault.Wrap(err, "read the comments")
	}
	i := slices.IndexFunc(all, func(c forge.Comment) bool {
		return strings.EqualFold(c.Author.Login, own) && strings.Contains(c.Body, s.voiceMark())
	})
	if i < 0 {
		made, err := f.Comment(ctx, name, number, body)
		return made.ID, fault.Wrap(err, "say it at the forge")
	}
	if all[i].Body != body {
		_, err = f.EditComment(ctx, name, number, all[i].ID, body)
	}
	return all[i].ID, fault.Wrap(err, "edit the platform's comment at the forge")
}

// voiceMark names the platform's comment, where people don't see it. Two platforms may share an account at a forge.
func (s *Service) voiceMark() string { return "<!-- roadbed speaks: " + s.BaseURL + " -->" }

// voiceText gives what the comment says: what products say, by topic, and at a forge what became of commands.
func (s *Service) voiceText(ctx context.Context, p Proposal) (string, error) {
	var known map[string]string
	var given []Command
	var strangers []string
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if known, err = speeches(ctx, tx, p.ID); err != nil || p.There == nil {
			return err
		}
		if given, err = newestCommands(ctx, tx, p.ID, s.loggedWords(), answersShown); err != nil {
			return err
		}
		strangers, err = strangersOf(ctx, tx, p.ID)
		return err
	})
	if err != nil {
		return "", err
	}
	var parts []string
	left := voiceLimit - 12<<10 // what became of commands has its place
	topics := make([]string, 0, len(known))
	for topic := range known {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	for _, topic := range topics {
		var w Speech
		if err := json.Unmarshal([]byte(known[topic]), &w); err != nil {
			return "", fault.Wrap(err, "read what is said of proposal %s", p.ID)
		}
		if left < 1000 {
			break
		}
		w.fit(left)
		text := w.markdown(p.There != nil)
		left -= len(text)
		parts = append(parts, text)
	}
	if log := commandLog(given, strangers); log != "" {
		parts = append(parts, log)
	}
	return muted(strings.Join(parts, "\n\n")), nil
}

// muted gives a text in which no line is a command.
func muted(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r", ""), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "/") || habit.MatchString(line) { // forges have commands of their own, too
			lines[i] = " " + line
		}
	}
	return strings.Join(lines, "\n")
}

// markdown gives a speech as a forge folds it, or as the portal shows it, which takes no HTML.
func (w Speech) markdown(folds bool) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(w.Text))
	for _, f := range w.Folds {
		if folds {
			fmt.Fprintf(&b, "\n\n<details><summary>%s</summary>\n\n%s\n\n</details>", escaped(f.Title), strings.TrimSpace(f.Text))
		} else {
			fmt.Fprintf(&b, "\n\n**%s**\n\n%s", plain(f.Title), strings.TrimSpace(f.Text))
		}
	}
	return strings.TrimSpace(b.String())
}

func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;", "\n", " ").Replace(text)
}

func plain(text string) string {
	return strings.NewReplacer("*", "", "_", `\_`, "`", "'", "<", "", ">", "", "[", "(", "]", ")", "\n", " ").Replace(text)
}

// commandLog says what became of commands, the newest first.
func commandLog(given []Command, strangers []string) string {
	if len(given)+len(strangers) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("**What was asked**\n")
	for _, c := range given {
		said := strings.TrimSpace(c.Name + " " + c.Arguments)
		fmt.Fprintf(&b, "\n- `%s`: ", clip(inCode(said), 200))
		switch answer := clip(strings.TrimSpace(c.Answer), answerLimit); c.State {
		case CommandWaiting, CommandPassed:
			b.WriteString("it is looked at")
		case CommandRefused:
			b.WriteString("not done: " + unnoticed(answer))
		default:
			b.WriteString(unnoticed(answer))
		}
	}
	for _, login := range strangers {
		fmt.Fprintf(&b, "\n- `%s` commands nothing: no User document of Roadbed names this account. Whoever looks after them adds the annotation `HOST/user-login` with it, HOST being that of this page.", clip(inCode(login), 100))
	}
	return b.String()
}

// inCode gives a text as it may stand between marks of code.
func inCode(text string) string {
	return strings.NewReplacer("`", "'", "\n", " ", "\r", " ").Replace(text)
}

// unnoticed gives an answer that calls nobody and shows as it is.
func unnoticed(answer string) string {
	answer = inCode(answer)
	if strings.ContainsAny(answer, `@<>[]()*_#!&~|\`) {
		return "`" + answer + "`"
	}
	return answer
}
