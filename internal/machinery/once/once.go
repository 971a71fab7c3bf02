package once

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the table of answers.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "once", FS: sub}
}

const (
	// Keep is how long an answer is given again.
	Keep = 24 * time.Hour
	// abandoned is when a request that is under way with another server counts as lost.
	abandoned = 10 * time.Minute
	// MaxKey is how many characters a key has at most.
	MaxKey = 200
	// tidied is how many outlived answers are deleted with each new one.
	tidied = 20
)

// Answers keeps answers for one server.
type Answers struct {
	db     *store.DB
	now    func() time.Time
	server string
	life   string // this life of this server

	mu       sync.Mutex
	underWay map[string]*doing // by id, in this life
}

// doing is a request that is under way.
type doing struct {
	digest string
	begun  time.Time
	wrote  bool // something may have come of it
}

// New gives the answers of a server, by the name that it keeps when it is started anew: what an earlier life had under
// way counts as lost.
func New(db *store.DB, now func() time.Time, server string) *Answers {
	return &Answers{db: db, now: now, server: server, life: server + "/" + rand.Text(), underWay: map[string]*doing{}}
}

// Request is what was asked.
type Request struct {
	Caller string // whose key it is: two callers may use the same one
	Target string // the method and the address with its query
	Key    string
	Body   []byte
}

// id names the request without telling its key.
func (r Request) id() string {
	h := sha256.New()
	for _, s := range []string{r.Caller, r.Target, r.Key} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digest tells bodies apart; it can't be used to guess one without the key.
func (r Request) digest() string {
	h := hmac.New(sha256.New, []byte(r.Key))
	h.Write(r.Body)
	return hex.EncodeToString(h.Sum(nil))
}

// Answer is what was answered.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte // nil with Secret
	// Secret tells that the answer held what is shown only once, so that its body is not kept.
	Secret bool
	// Lost tells that the server ended after something had come of the request and before it was answered.
	Lost bool
}

// Begin tells what became of an earlier request with this key. Without one it gives nil, and the request is under way
// until Finish or Forget. It fails with Invalid when the key was used with another body, or is no key, and with
// Conflict while the earlier request is under way.
func (a *Answers) Begin(ctx context.Context, r Request) (*Answer, error) {
	if err := validKey(r.Key); err != nil {
		return nil, err
	}
	if a.alone() {
		return a.beginAlone(ctx, r)
	}
	var answer *Answer
	var mine bool
	err := a.db.Write(store.Followed(ctx), func(tx *store.Tx) error {
		answer, mine = nil, false
		now := a.now()
		if err := a.tidy(ctx, tx, now); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `INSERT INTO once_answers (id, request, life, begun) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
			r.id(), r.digest(), a.life, now.UnixMicro())
		if err == nil && n == 0 {
			answer, err = a.earlier(ctx, tx, r, now)
		}
		if mine = err == nil && answer == nil; mine { // before anybody else can see it in the table
			a.begin(r)
		}
		return err
	})
	if err != nil {
		if mine {
			a.end(r)
		}
		return nil, fault.Wrap(err, "look for an earlier request with this Idempotency-Key")
	}
	return answer, nil
}

// alone tells that no other server answers, as on SQLite. Then what is under way is known without the database, and nothing is
// written of a request before something comes of it or it is answered: that spares each one commit of three.
func (a *Answers) alone() bool { return a.db.Dialect() == store.SQLite }

func (a *Answers) beginAlone(ctx context.Context, r Request) (answer *Answer, err error) {
	if err := a.take(r); err != nil {
		return nil, err
	}
	goesOn := false
	defer func() {
		if !goesOn { // also after a panic
			a.end(r)
		}
	}()
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		was, err := a.read(ctx, tx, r)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err == nil {
			answer, _, err = was.answer(r, a.now(), true)
		}
		return err
	})
	goesOn = err == nil && answer == nil
	return answer, fault.Wrap(err, "look for an earlier request with this Idempotency-Key")
}

// take has a request be under way, unless it is.
func (a *Answers) take(r Request) error {
	id, digest := r.id(), r.digest()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch d := a.underWay[id]; {
	case d == nil:
		a.underWay[id] = &doing{digest: digest, begun: a.now()}
		return nil
	case d.digest != digest:
		return errOtherBody()
	}
	return errUnderWay()
}

func (a *Answers) begin(r Request) {
	id, d := r.id(), &doing{digest: r.digest(), begun: a.now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.underWay[id] = d
}

// doing gives what is known of a request that is under way; writes notes that something may come of it now.
func (a *Answers) doing(r Request, writes bool) (d doing, is bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.underWay[r.id()]
	if at == nil {
		return doing{}, false
	}
	at.wrote = at.wrote || writes
	return *at, true
}

func errUnderWay() error {
	return fault.Errorf(fault.Conflict, "a request with this Idempotency-Key is under way; send it again in a moment")
}

func errOtherBody() error {
	return fault.Errorf(fault.Invalid, "this Idempotency-Key was used with another body; use a new key for another request")
}

// end notes that nobody does a request any more, also when the database could not be told. It comes after that, so that
// the request, sent again meanwhile, can't take the place that is just cleared.
func (a *Answers) end(r Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.underWay, r.id())
}

// earlier gives the answer of the request that came before; nil when that one was lost and this one takes its place.
func (a *Answers) earlier(ctx context.Context, tx *store.Tx, r Request, now time.Time) (*Answer, error) {
	was, err := a.read(ctx, tx, r)
	if err != nil {
		return nil, err
	}
	answer, over, err := was.answer(r, now, a.lost(r, was.life, now.Sub(was.begun)))
	if err != nil || !over {
		return answer, err
	}
	_, err = tx.Exec(ctx, `UPDATE once_answers SET request = $1, life = $2, begun = $3, effect = 0, status = 0, header = '{}', body = NULL, secret = 0 WHERE id = $4`,
		r.digest(), a.life, now.UnixMicro(), r.id())
	return nil, err
}

// before is what is known of an earlier request with the same key.
type before struct {
	digest, life, header string
	begun                time.Time
	kept                 Answer // Lost when something came of it
}

func (a *Answers) read(ctx context.Context, tx *store.Tx, r Request) (was before, err error) {
	var begun int64
	err = tx.QueryRow(ctx, `SELECT request, life, begun, effect, status, header, body, secret FROM once_answers WHERE id = $1`+tx.ForUpdate(), r.id()).
		Scan(&was.digest, &was.life, &begun, &was.kept.Lost, &was.kept.Status, &was.header, &was.kept.Body, &was.kept.Secret)
	was.begun = time.UnixMicro(begun)
	return was, err
}

// answer gives what was answered, or that it was lost; over tells that a request is done anew in its place.
func (b before) answer(r Request, now time.Time, lost bool) (answer *Answer, over bool, err error) {
	fresh := now.Sub(b.begun) < Keep
	switch {
	case fresh && b.digest != r.digest():
		return nil, false, errOtherBody()
	case fresh && b.kept.Status != 0:
		b.kept.Lost = false
		return &b.kept, false, json.Unmarshal([]byte(b.header), &b.kept.Header)
	case b.kept.Status == 0 && !lost:
		return nil, false, errUnderWay()
	case fresh && b.kept.Status == 0 && b.kept.Lost:
		return &Answer{Lost: true}, false, nil
	}
	return nil, true, nil
}

// Mark gives the context in which a request is done: whatever is written in it notes that something came of the request.
func (a *Answers) Mark(ctx context.Context, r Request) context.Context {
	return store.Along(store.Followed(ctx), func(tx *store.Tx) error {
		if !a.alone() {
			_, err := tx.Exec(ctx, `UPDATE once_answers SET effect = 1 WHERE id = $1 AND life = $2 AND effect = 0`, r.id(), a.life)
			return err
		}
		d, is := a.doing(r, true)
		if !is { // it was answered: what is written so late changes nothing of that
			return nil
		}
		_, err := tx.Exec(ctx, `INSERT INTO once_answers (id, request, life, begun, effect) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, life = excluded.life, begun = excluded.begun, effect = 1, status = 0, header = '{}', body = NULL, secret = 0
WHERE once_answers.life <> excluded.life OR once_answers.begun <> excluded.begun`, r.id(), d.digest, a.life, d.begun.UnixMicro())
		return err
	})
}

// Unmarked is for what knows by a key of its own that it was done: it may be done again.
func Unmarked(ctx context.Context) context.Context { return store.Along(ctx, nil) }

// lost tells whether nobody answers a request that is under way any more.
func (a *Answers) lost(r Request, life string, age time.Duration) bool {
	if !strings.HasPrefix(life, a.server+"/") {
		return age >= abandoned
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return life != a.life || a.underWay[r.id()] == nil
}

// tidy deletes some answers that have outlived their time.
func (a *Answers) tidy(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM once_answers WHERE id IN (SELECT id FROM once_answers WHERE begun < $1 ORDER BY begun LIMIT $2)`,
		now.Add(-Keep).UnixMicro(), tidied)
	return err
}

// Finish keeps the answer of a request that was done, to be given again.
func (a *Answers) Finish(ctx context.Context, r Request, answer Answer) error {
	defer a.end(r)
	header, err := json.Marshal(answer.Header)
	if err != nil {
		return err
	}
	if answer.Secret {
		answer.Body = nil
	}
	return a.db.Write(ctx, func(tx *store.Tx) error {
		if a.alone() {
			d, is := a.doing(r, false)
			if !is {
				return fault.Errorf(fault.Internal, "a request is answered that is not under way")
			}
			if err := a.tidy(ctx, tx, a.now()); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO once_answers (id, request, life, begun, effect, status, header, body, secret) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, life = excluded.life, begun = excluded.begun, effect = 1, status = excluded.status, header = excluded.header, body = excluded.body, secret = excluded.secret`,
				r.id(), d.digest, a.life, d.begun.UnixMicro(), answer.Status, string(header), answer.Body, answer.Secret)
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE once_answers SET status = $1, header = $2, body = $3, secret = $4 WHERE id = $5 AND life = $6`,
			answer.Status, string(header), answer.Body, answer.Secret, r.id(), a.life)
		return err
	})
}

// Forget lets a request that was refused, or failed, be sent again with the same key.
func (a *Answers) Forget(ctx context.Context, r Request) error {
	defer a.end(r)
	if d, is := a.doing(r, false); a.alone() && is && !d.wrote {
		return nil
	}
	return a.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM once_answers WHERE id = $1 AND life = $2 AND status = 0`, r.id(), a.life)
		return err
	})
}

func validKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fault.Errorf(fault.Invalid, "the header Idempotency-Key has between 1 and %d characters", MaxKey)
	}
	for _, c := range []byte(key) {
		if c < ' ' || c > '~' {
			return fault.Errorf(fault.Invalid, "the header Idempotency-Key holds printable ASCII only; a random UUID does well")
		}
	}
	return nil
}
