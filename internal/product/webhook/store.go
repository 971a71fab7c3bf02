package webhook

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "webhook", FS: files}
}

// messageID begins the ids of messages.
const messageID = "whm"

const webhookColumns = "ref, space, spec, updated"

func scanWebhook(row store.Row) (w Webhook, err error) {
	var name, spec string
	var updated int64
	if err := row.Scan(&name, &w.Space, &spec, &updated); err != nil {
		return w, err
	}
	w.Updated = store.FromMicros(updated)
	if w.Ref, err = ref.Parse(name, "webhook", ref.DefaultNamespace); err != nil {
		return w, err
	}
	return w, fault.Wrap(json.Unmarshal([]byte(spec), &w.Spec), "read what is kept of %s", name)
}

func getWebhook(ctx context.Context, tx *store.Tx, name, lock string) (Webhook, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE ref = $1"+lock, name), scanWebhook, "%s", name)
}

const messageColumns = "id, key, webhook, owner, space, run, subject, policy, decision, method, headers, body, state, attempts, status, reason, created, ended"

func scanMessage(row store.Row) (m Message, err error) {
	var headers string
	var created, ended int64
	err = row.Scan(&m.ID, &m.Key, &m.Webhook, &m.Owner, &m.Space, &m.Run, &m.Subject, &m.Policy, &m.Decision, &m.Method, &headers, &m.Body, &m.State, &m.Attempts, &m.Status, &m.Reason, &created, &ended)
	if err != nil {
		return m, err
	}
	m.Created, m.Ended = store.FromMicros(created), store.FromMicros(ended)
	return m, fault.Wrap(json.Unmarshal([]byte(headers), &m.Headers), "read message %s", m.ID)
}

func getMessage(ctx context.Context, tx *store.Tx, id, lock string) (Message, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+messageColumns+" FROM webhook_messages WHERE id = $1"+lock, id), scanMessage, "message %s", id)
}

// insertMessage keeps a message; none where its key is there.
func insertMessage(ctx context.Context, tx *store.Tx, m Message) error {
	headers, err := json.Marshal(m.Headers)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO webhook_messages (id, key, webhook, owner, space, run, subject, policy, decision, method, headers, body, state, created)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (key) DO NOTHING`,
		m.ID, m.Key, m.Webhook, m.Owner, m.Space, m.Run, m.Subject, m.Policy, m.Decision, m.Method, string(headers), m.Body, m.State, store.Micros(m.Created))
	return fault.Wrap(err, "keep a message of %s", m.Webhook)
}

// idOfKey gives the message that has a key.
func idOfKey(ctx context.Context, tx *store.Tx, key string) (id string, err error) {
	err = tx.QueryRow(ctx, "SELECT id FROM webhook_messages WHERE key = $1", key).Scan(&id)
	return id, err
}

// saveMessage writes what became of a message. What has ended keeps neither headers nor body.
func saveMessage(ctx context.Context, tx *store.Tx, m Message) error {
	if m.State != Waiting {
		_, err := tx.Exec(ctx, "UPDATE webhook_messages SET headers = $2, body = $3 WHERE id = $1", m.ID, "{}", []byte{})
		if err != nil {
			return fault.Wrap(err, "clear message %s", m.ID)
		}
	}
	_, err := tx.Exec(ctx, "UPDATE webhook_messages SET state = $2, attempts = $3, status = $4, reason = $5, ended = $6 WHERE id = $1",
		m.ID, m.State, m.Attempts, m.Status, m.Reason, store.Micros(m.Ended))
	return fault.Wrap(err, "keep what became of message %s", m.ID)
}

// waits is what waits for a webhook; own is what of it is about one space.
type waits struct {
	all, own      int
	size, ownSize int64 // bytes of the bodies
}

// takes tells whether one more message may wait. What is about a space other than the webhook's own fills at most as much as it
// leaves free, so that each space uses up its own share alone.
func (w waits) takes(m Message) bool {
	free, room, more := mostWaiting-w.all, mostBytes-w.size, int64(len(m.Body))
	if free <= 0 || more > room {
		return false
	}
	return m.Space == m.Owner || w.own < free && w.ownSize+more <= room
}

// tidy forgets the oldest messages of a webhook that have ended, and counts those that wait.
func tidy(ctx context.Context, tx *store.Tx, webhook, space string) (w waits, err error) {
	_, err = tx.Exec(ctx, `DELETE FROM webhook_messages WHERE webhook = $1 AND state <> 'waiting' AND id <
 (SELECT min(id) FROM (SELECT id FROM webhook_messages WHERE webhook = $1 ORDER BY id DESC LIMIT $2) AS newest)`, webhook, mostKept)
	if err != nil {
		return w, fault.Wrap(err, "forget old messages of %s", webhook)
	}
	rows, err := tx.Query(ctx, "SELECT space, count(*), coalesce(sum(length(body)), 0) FROM webhook_messages WHERE webhook = $1 AND state = 'waiting' GROUP BY space", webhook)
	_, err = store.Collect(rows, err, func(row store.Row) (none struct{}, err error) {
		var of string
		var count int
		var size int64
		if err := row.Scan(&of, &count, &size); err != nil {
			return none, err
		}
		w.all, w.size = w.all+count, w.size+size
		if of == space {
			w.own, w.ownSize = count, size
		}
		return none, nil
	})
	return w, fault.Wrap(err, "count what waits for %s", webhook)
}
