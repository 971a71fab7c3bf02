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
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	jobSend    = "webhook.send"
	sendTime   = 20 * time.Second // of one attempt
	mostAnswer = 4 << 10          // bytes of an answer that are read, so that the connection can be used again
)

type sendArgs struct {
	Message string `json:"message"`
}

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobSend, queue.HandleOptions{Timeout: sendTime + 10*time.Second}, s.send)
}

// send makes one attempt to send a message. It may be made twice when the server ends in between.
func (s *Service) send(ctx context.Context, a sendArgs) error {
	var m Message
	var hook Webhook
	var to target
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if m, err = getMessage(ctx, tx, a.Message, ""); err != nil {
			return err
		}
		if hook, err = getWebhook(ctx, tx, m.Webhook); err != nil {
			return err
		}
		to, err = s.target(ctx, tx, hook)
		return err
	})
	switch {
	case m.ID == "" && fault.Is(err, fault.NotFound) || err == nil && m.State != Waiting:
		return nil // its webhook is gone, or it was sent
	case fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid):
		return s.became(ctx, m.ID, 0, fault.Message(err), false)
	case err != nil:
		return err
	case hook.Spec.Disabled:
		return s.became(ctx, m.ID, 0, "the webhook is disabled", false)
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
	var names []string
	for _, name := range []string{w.Spec.URLSecretRef, w.Spec.SecretRef} {
		if name != "" {
			names = append(names, name)
		}
	}
	values := map[string]string{}
	if len(names) > 0 {
		if values, err = s.Secrets.Resolve(ctx, tx, w.Space, names); err != nil {
			return t, err
		}
	}
	text := w.Spec.URL
	if w.Spec.URLSecretRef != "" {
		text = values[w.Spec.URLSecretRef]
	}
	if t.url = address(text); t.url == nil {
		return t, fault.Errorf(fault.Invalid, "secret %s holds no address like https://chat.example.com/hooks/x", w.Spec.URLSecretRef)
	}
	t.secret = values[w.Spec.SecretRef]
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
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Roadbed")
	r.Header.Set("X-Roadbed-Message", m.ID)
	if to.secret != "" {
		r.Header.Set("X-Signature-256", sign(to.secret, m.Body))
	}
	client := http.Client{Transport: s.Dial, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, mostAnswer)) // what it says is nobody's
	return answer.StatusCode, answer.Body.Close()
}

// reasonOf says why nothing was answered, without the address: it may be a secret.
func reasonOf(err error) string {
	var known *fault.Error
	if errors.As(err, &known) {
		return known.Message
	}
	var where *url.Error
	if errors.As(err, &where) {
		err = where.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("it did not answer within %s", sendTime)
	}
	text := err.Error()
	return "it can't be reached: " + strings.ToValidUTF8(text[:min(len(text), 300)], "")
}

// became writes what became of an attempt; why is "" when the message was taken. Again has it tried once more, as long as
// there is an attempt left.
func (s *Service) became(ctx context.Context, id string, status int, why string, again bool) error {
	var pause time.Duration
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		m, err := getMessage(ctx, tx, id, tx.ForUpdate())
		if fault.Is(err, fault.NotFound) || err == nil && m.State != Waiting {
			return nil
		}
		if err != nil {
			return err
		}
		m.Attempts, m.Status, m.Reason = m.Attempts+1, status, why
		kind := "webhook.sent"
		switch {
		case why == "":
			m.State = Sent
		case again && m.Attempts <= len(pauses):
			pause = pauses[m.Attempts-1]
			return saveMessage(ctx, tx, m)
		default:
			m.State, kind = Failed, "webhook.failed"
		}
		m.Ended = s.Now()
		if err := saveMessage(ctx, tx, m); err != nil {
			return err
		}
		hook, err := getWebhook(ctx, tx, m.Webhook)
		if err != nil {
			return err
		}
		data, err := json.Marshal(map[string]any{"message": m.ID, "policy": m.Policy, "decision": m.Decision, "attempts": m.Attempts, "status": m.Status, "reason": m.Reason})
		if err != nil {
			return err
		}
		_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Type: kind, Space: hook.Space, Subject: m.Webhook, Run: m.Run, Data: data})
		return err
	})
	if err == nil && pause > 0 {
		return queue.Again(pause)
	}
	return err
}
