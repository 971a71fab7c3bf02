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
	underWay map[string]bool // by id, in this life
}

// New gives the answers of a server, by the name that it keeps when it is started anew: what an earlier life had under
// way counts as lost.
func New(db *store.DB, now func() time.Time, server string) *Answers {
	return &Answers{db: db, now: now, server: server, life: server + "/" + rand.Text(), underWay: map[string]bool{}}
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

func (a *Answers) begin(r Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.underWay[r.id()] = true
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
	var (
		request, life, header string
		begun                 int64
		kept                  Answer
	)
	err := tx.QueryRow(ctx, `SELECT request, life, begun, effect, status, header, body, secret FROM once_answers WHERE id = $1`+tx.ForUpdate(), r.id()).
		Scan(&request, &life, &begun, &kept.Lost, &kept.Status, &header, &kept.Body, &kept.Secret)
	if err != nil {
		return nil, err
	}
	fresh := now.Sub(time.UnixMicro(begun)) < Keep
	if fresh && request != r.digest() {
		return nil, fault.Errorf(fault.Invalid, "this Idempotency-Key was used with another body; use a new key for another request")
	}
	if fresh && kept.Status != 0 {
		kept.Lost = false
		return &kept, json.Unmarshal([]byte(header), &kept.Header)
	}
	if kept.Status == 0 && !a.lost(r, life, now.Sub(time.UnixMicro(begun))) {
		return nil, fault.Errorf(fault.Conflict, "a request with this Idempotency-Key is under way; send it again in a moment")
	}
	if fresh && kept.Status == 0 && kept.Lost {
		return &Answer{Lost: true}, nil
	}
	_, err = tx.Exec(ctx, `UPDATE once_answers SET request = $1, life = $2, begun = $3, effect = 0, status = 0, header = '{}', body = NULL, secret = 0 WHERE id = $4`,
		r.digest(), a.life, now.UnixMicro(), r.id())
	return nil, err
}

// Mark gives the context in which a request is done: whatever is written in it notes that something came of the request.
func (a *Answers) Mark(ctx context.Context, r Request) context.Context {
	return store.Along(store.Followed(ctx), func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE once_answers SET effect = 1 WHERE id = $1 AND life = $2 AND effect = 0`, r.id(), a.life)
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
	return life != a.life || !a.underWay[r.id()]
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
		_, err := tx.Exec(ctx, `UPDATE once_answers SET status = $1, header = $2, body = $3, secret = $4 WHERE id = $5 AND life = $6`,
			answer.Status, string(header), answer.Body, answer.Secret, r.id(), a.life)
		return err
	})
}

// Forget lets a request that was refused, or failed, be sent again with the same key.
func (a *Answers) Forget(ctx context.Context, r Request) error {
	defer a.end(r)
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
