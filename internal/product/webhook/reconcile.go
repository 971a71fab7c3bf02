package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	jobSend    = "webhook.send"
	jobSweep   = "webhook.sweep"
	sendTime   = 10 * time.Second // of one attempt
	mostAnswer = 4 << 10          // bytes of an answer that are read, so that the connection can be used again
	longest    = 24 * time.Hour   // that a message waits
	mostSwept  = 500              // of one sweep
)

type sendArgs struct {
	Message string `json:"message"`
	Webhook string `json:"webhook"`
	Owner   string `json:"owner"`
	Space   string `json:"space"`
}

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobSend, queue.HandleOptions{Timeout: sendTime + 10*time.Second, Concurrency: atOnce + atTheDoor}, s.send)
	queue.Handle(s.Queue, jobSweep, queue.HandleOptions{}, func(ctx context.Context, _ struct{}) error { return s.sweep(ctx) })
	s.Queue.Every(jobSweep, time.Hour, struct{}{})
}

// send makes one attempt to send a message. It may be made twice when the server ends in between.
func (s *Service) send(ctx context.Context, a sendArgs) error {
	if !s.begin(a) {
		return s.later(ctx, a)
	}
	defer s.end(a)
	var m Message
	var hook Webhook
	var to target
	var unknown error // where it goes, or with what it is signed
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if m, err = getMessage(ctx, tx, a.Message, ""); err != nil {
			return err
		}
		if hook, err = getWebhook(ctx, tx, m.Webhook, ""); err == nil && hook.Space == m.Owner && !hook.Spec.Disabled {
			to, unknown = s.target(ctx, tx, hook)
		}
		return err
	})
	switch {
	case m.ID == "" && fault.Is(err, fault.NotFound) || err == nil && m.State != Waiting:
		return nil // it was dropped with its webhook, or sent
	case fault.Is(err, fault.NotFound) || err == nil && hook.Space != m.Owner:
		return s.became(ctx, m.ID, 0, gone, false)
	case err != nil:
		return err
	case hook.Spec.Disabled:
		return s.became(ctx, m.ID, 0, "the webhook is disabled", false)
	case fault.Is(unknown, fault.NotFound) || fault.Is(unknown, fault.Invalid):
		return s.became(ctx, m.ID, 0, fault.Message(unknown), true) // somebody may set it meanwhile
	case unknown != nil:
		s.Log.WarnContext(ctx, "open the secrets of a webhook", "webhook", m.Webhook, "error", unknown)
		return s.became(ctx, m.ID, 0, "its secrets can't be opened", true)
	}
	status, err := s.post(ctx, to, m)
	if err != nil {
		if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
			return err // the server ends
		}
		return s.became(ctx, m.ID, 0, reasonOf(err), !fault.Is(err, fault.Invalid))
	}
	ok, again := taken(status)
	if ok {
		return s.became(ctx, m.ID, status, "", false)
	}
	why := fmt.Sprintf("it answered %d %s", status, http.StatusText(status))
	if status >= 300 && status < 400 {
		why += ", and redirects are not followed"
	}
	return s.became(ctx, m.ID, status, why, again)
}

// target is where a message goes, and with what it is signed.
type target struct {
	url    *url.URL
	secret string
}

func (s *Service) target(ctx context.Context, tx *store.Tx, w Webhook) (t target, err error) {
	values := map[string]string{}
	for _, name := range []string{w.Spec.URLSecretRef, w.Spec.SecretRef} {
		if name == "" {
			continue
		}
		if !ofSpace(name, w.Space) {
			return t, fault.Errorf(fault.Invalid, "secret %s is not of the webhook's own space %s", name, w.Space)
		}
		found, err := s.Secrets.Resolve(ctx, tx, w.Space, []string{name})
		if err != nil {
			return t, err
		}
		values[name] = found[name]
	}
	text := w.Spec.URL
	if w.Spec.URLSecretRef != "" {
		text = values[w.Spec.URLSecretRef]
	}
	if t.url = address(text); t.url == nil {
		return t, fault.Errorf(fault.Invalid, "secret %s holds no address like https://chat.example.com/hooks/x", w.Spec.URLSecretRef)
	}
	t.secret = values[w.Spec.SecretRef]
	if w.Spec.SecretRef != "" && t.secret == "" {
		return t, fault.Errorf(fault.Invalid, "secret %s is empty, so nothing can be signed with it", w.Spec.SecretRef)
	}
	return t, nil
}

// post sends a message and gives what was answered.
func (s *Service) post(ctx context.Context, to target, m Message) (status int, err error) {
	ctx, stop := context.WithTimeout(ctx, sendTime)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, m.Method, to.url.String(), bytes.NewReader(m.Body))
	if err != nil {
		return 0, fault.Errorf(fault.Invalid, "the address can't be used")
	}
	for name, value := range m.Headers {
		r.Header.Set(name, value)
	}
	at := strconv.FormatInt(s.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Roadbed")
	r.Header.Set("X-Roadbed-Message", m.ID)
	r.Header.Set("X-Roadbed-Timestamp", at)
	if to.secret != "" {
		r.Header.Set("X-Roadbed-Signature", sign(to.secret, m.ID, at, m.Body))
	}
	client := http.Client{Transport: s.Dial, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, mostAnswer)) // what it says is nobody's
	_ = answer.Body.Close()
	return answer.StatusCode, nil // that its body ends early is of no matter
}

// became writes what became of an attempt; why is "" when the message was taken. Again has it tried once more, as long as
// there is an attempt left.
func (s *Service) became(ctx context.Context, id string, status int, why string, again bool) error {
	var pause time.Duration
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		pause = 0
		m, err := getMessage(ctx, tx, id, tx.ForUpdate())
		if fault.Is(err, fault.NotFound) || err == nil && m.State != Waiting {
			return nil
		}
		if err != nil {
			return err
		}
		m.Attempts, m.Status, m.Reason = m.Attempts+1, status, why
		if why != "" && again && m.Attempts <= len(pauses) {
			pause = pauses[m.Attempts-1]
			return saveMessage(ctx, tx, m)
		}
		return s.ended(ctx, tx, m)
	})
	if err == nil && pause > 0 {
		return queue.Again(pause)
	}
	return err
}

// ended ends a message: it was sent when there is no reason why not. It is told where the webhook was when it took it.
func (s *Service) ended(ctx context.Context, tx *store.Tx, m Message) error {
	kind := "webhook.sent"
	if m.State = Sent; m.Reason != "" {
		m.State, kind = Failed, "webhook.failed"
	}
	m.Ended = s.Now()
	if err := saveMessage(ctx, tx, m); err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"message": m.ID, "policy": m.Policy, "decision": m.Decision, "about": m.Subject, "attempts": m.Attempts, "status": m.Status, "reason": m.Reason})
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Type: kind, Space: m.Owner, Subject: m.Webhook, Run: m.Run, Data: data})
	return err
}

const gone = "the webhook is gone, or belongs to another space by now"

// drop ends what waits for a webhook that goes, and forgets its messages: the next owner of its name has no part in them.
func (s *Service) drop(ctx context.Context, tx *store.Tx, webhook string) error {
	rows, err := tx.Query(ctx, "SELECT "+messageColumns+" FROM webhook_messages WHERE webhook = $1 AND state = 'waiting' ORDER BY id"+tx.ForUpdate(), webhook)
	all, err := store.Collect(rows, err, scanMessage)
	if err != nil {
		return fault.Wrap(err, "find what waits for %s", webhook)
	}
	for _, m := range all {
		m.Reason = gone
		if err := s.ended(ctx, tx, m); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "DELETE FROM webhook_messages WHERE webhook = $1", webhook)
	return fault.Wrap(err, "forget the messages of %s", webhook)
}

// sweep ends what has waited for too long, whatever became of its job.
func (s *Service) sweep(ctx context.Context) error {
	var ids []string
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT id FROM webhook_messages WHERE state = 'waiting' AND created < $1 ORDER BY created LIMIT $2", store.Micros(s.Now().Add(-longest)), mostSwept)
		ids, err = store.Collect(rows, err, func(row store.Row) (id string, err error) { return id, row.Scan(&id) })
		return err
	})
	if err != nil {
		return fault.Wrap(err, "find messages that wait for too long")
	}
	for _, id := range ids {
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			m, err := getMessage(ctx, tx, id, tx.ForUpdate())
			if fault.Is(err, fault.NotFound) || err == nil && m.State != Waiting {
				return nil
			}
			if err != nil {
				return err
			}
			m.Reason = "it was not sent within a day"
			if m.Status != 0 {
				m.Reason += fmt.Sprintf("; at last %d was answered", m.Status)
			}
			return s.ended(ctx, tx, m)
		})
		if err != nil {
			return err
		}
	}
	if len(ids) == mostSwept {
		return queue.Again(0)
	}
	return nil
}
