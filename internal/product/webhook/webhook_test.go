package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/outbound"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/product/webhook"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// bench is the room with the spaces payments and, below it, lab, an address that answers as the test says, and a clock that
// the test moves.
type bench struct {
	*accesstest.World
	*webhook.Service
	t       *testing.T
	db      *store.DB
	queue   *queue.Queue
	secrets *secret.Service
	kind    document.Kind
	clock   atomic.Int64

	server *httptest.Server
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
	came   []*http.Request
	bodies []string
}

func each(t *testing.T, allow string, fn func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newBench(t, db, allow)) },
		ledger.Migrations(), queue.Migrations(), access.Migrations(), secret.Migrations(), webhook.Migrations())
}

func newBench(t *testing.T, db *store.DB, allow string) *bench {
	t.Helper()
	b := &bench{t: t, db: db}
	b.clock.Store(time.Now().UnixMicro())
	log := slog.New(slog.DiscardHandler)
	book := ledger.New(db, b.now, log)
	rights := access.New(db, book, b.now, log)
	keeper, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	guard, err := outbound.New(outbound.Options{Allow: allow})
	if err != nil {
		t.Fatal(err)
	}
	b.World, b.queue, b.secrets = accesstest.New(t, db, rights), queue.NewAt(db, b.now, log), secret.New(db, rights, book, keeper, b.now)
	b.Service = webhook.New(webhook.Deps{DB: db, Ledger: book, Queue: b.queue, Access: rights, Secrets: b.secrets, Dial: guard.Transport(), Now: b.now, Log: log})
	b.kind = webhook.Kinds(b.Service)[0]
	b.Space("payments", "default")
	b.Space("lab", "payments")
	b.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.came, b.bodies = append(b.came, r), append(b.bodies, string(body))
		b.answer(w, r)
	}))
	t.Cleanup(b.server.Close)
	return b
}

func (b *bench) now() time.Time { return time.UnixMicro(b.clock.Load()).UTC() }

func system() context.Context { return actor.AsSystem(context.Background()) }

// declare declares a webhook of a space by its spec; "" takes it away.
func (b *bench) declare(space, name, spec string) {
	b.t.Helper()
	c := document.Change{Ref: ref.New("webhook", "default", name), Space: space}
	if spec != "" {
		docs, err := document.Parse("test.yaml", []byte("{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: "+name+"}, spec: "+spec+"}"), document.Limits{})
		if err != nil {
			b.t.Fatal(err)
		}
		if wrong := b.kind.Validate(docs[0]); len(wrong) > 0 {
			b.t.Fatalf("%s: %v", name, wrong)
		}
		c.New = &docs[0]
	}
	if err := b.db.Write(system(), func(tx *store.Tx) error { return b.kind.Changed(system(), tx, c) }); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) secret(space, name, value string) {
	b.t.Helper()
	if err := b.secrets.Put(system(), space, name, secret.Change{Value: []byte(value)}); err != nil {
		b.t.Fatal(err)
	}
}

// send has a message sent, as far as it can be at once.
func (b *bench) send(name string, m webhook.Message) error {
	b.t.Helper()
	b.clock.Add(time.Second.Microseconds()) // the newest is the last by its id
	m.Webhook, m.Space, m.Policy = "webhook:default/"+name, "payments", "policy:default/tell"
	if m.Body == nil {
		m.Body = []byte(`{"a":1}`)
	}
	err := b.db.Write(system(), func(tx *store.Tx) error {
		_, err := b.Send(system(), tx, m)
		return err
	})
	b.work()
	return err
}

func (b *bench) work() {
	b.t.Helper()
	if _, err := b.queue.Work(system()); err != nil {
		b.t.Fatal(err)
	}
}

// last gives what became of the newest message.
func (b *bench) last(name string) webhook.Message {
	b.t.Helper()
	all, err := b.Messages(system(), ref.New("webhook", "default", name), page.Request{})
	if err != nil || len(all.Items) == 0 {
		b.t.Fatalf("the messages are %+v, %v", all, err)
	}
	return all.Items[0]
}

// addressed gives the webhook that a policy of a space sends to about what is in another.
func (b *bench) addressed(policy, about, id, channel string) (webhook.Webhook, error) {
	b.t.Helper()
	book, err := b.Book(system(), about)
	if err != nil {
		b.t.Fatal(err)
	}
	return book.Addressed(policy, id, channel)
}

// signed is the signature that the documentation has receivers expect.
func signed(key string, r *http.Request, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, r.Header.Get("X-Roadbed-Message")+"."+r.Header.Get("X-Roadbed-Timestamp")+"."+body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

func TestAMessageIsSentSigned(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		b.secret("payments", "address", b.server.URL+"/hooks/T1?x=1")
		b.secret("payments", "key", "k")
		b.declare("payments", "chat", "{urlSecretRef: payments/address, secretRef: payments/key}")
		if err := b.send("chat", webhook.Message{Method: "put", Headers: map[string]string{"X-Kind": "custom"}}); err != nil {
			t.Fatal(err)
		}
		if len(b.came) != 1 {
			t.Fatalf("%d came: %+v", len(b.came), b.last("chat"))
		}
		r := b.came[0]
		m := b.last("chat")
		if at := r.Header.Get("X-Roadbed-Timestamp"); at != strconv.FormatInt(b.now().Unix(), 10) {
			t.Errorf("it was signed at %q", at)
		}
		if r.Method != http.MethodPut || r.URL.Path != "/hooks/T1" || r.URL.RawQuery != "x=1" || b.bodies[0] != `{"a":1}` || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("X-Kind") != "custom" || r.Header.Get("X-Roadbed-Message") != m.ID || r.Header.Get("X-Roadbed-Signature") != signed("k", r, `{"a":1}`) {
			t.Errorf("what came is %+v with %s", r, b.bodies[0])
		}
		if m.State != webhook.Sent || m.Status != http.StatusNoContent || m.Attempts != 1 || m.Ended.IsZero() || m.Reason != "" {
			t.Errorf("the message is %+v", m)
		}
		b.work()
		if len(b.came) != 1 {
			t.Errorf("it was sent %d times", len(b.came))
		}
	})
}

// TestAMessageIsTriedAgain until it is taken, or there is no use in it.
func TestAMessageIsTriedAgain(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		b.declare("payments", "chat", "{url: '"+b.server.URL+"'}")
		status := http.StatusServiceUnavailable
		b.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		if err := b.send("chat", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		if m := b.last("chat"); m.State != webhook.Waiting || m.Status != status || m.Attempts != 1 {
			t.Errorf("after one attempt it is %+v", m)
		}
		status = http.StatusOK
		b.clock.Add((10 * time.Second).Microseconds())
		b.work()
		if m := b.last("chat"); m.State != webhook.Sent || m.Attempts != 2 {
			t.Errorf("after another it is %+v", m)
		}
		status = http.StatusNotFound
		if err := b.send("chat", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		if m := b.last("chat"); m.State != webhook.Failed || m.Attempts != 1 || !strings.Contains(m.Reason, "404") {
			t.Errorf("what is refused is %+v", m)
		}
		status = http.StatusBadGateway
		if err := b.send("chat", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			b.clock.Add((4 * time.Hour).Microseconds())
			b.work()
		}
		if m := b.last("chat"); m.State != webhook.Failed || m.Attempts != 8 {
			t.Errorf("what is never taken is %+v", m)
		}

		// A redirect leads nowhere.
		came := len(b.came)
		b.answer = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
		if err := b.send("chat", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		if m := b.last("chat"); m.State != webhook.Failed || !strings.Contains(m.Reason, "redirects are not followed") || len(b.came) != came+1 {
			t.Errorf("a redirect: %+v, %d came", m, len(b.came)-came)
		}
		b.declare("payments", "chat", "")
		if _, err := b.Messages(system(), ref.New("webhook", "default", "chat"), page.Request{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("the messages of a webhook that is gone: %v", err)
		}
	})
}

// TestNoMessageLeadsInside holds addresses to the public ones, and tells nobody a secret address.
func TestNoMessageLeadsInside(t *testing.T) {
	each(t, "", func(t *testing.T, b *bench) {
		b.declare("payments", "inside", "{url: '"+b.server.URL+"/path'}")
		if err := b.send("inside", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		if m := b.last("inside"); m.State != webhook.Failed || m.Attempts != 1 || !strings.Contains(m.Reason, "not a public one") || strings.Contains(m.Reason, "127.0.0.1") || len(b.came) != 0 {
			t.Errorf("a private address: %+v, %d came", m, len(b.came))
		}
		b.secret("payments", "address", "http://no-such-host.invalid/T1/very-secret")
		b.declare("payments", "hidden", "{urlSecretRef: payments/address}")
		if err := b.send("hidden", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		if m := b.last("hidden"); m.State != webhook.Waiting || m.Reason != "its host is not found" {
			t.Errorf("an address that is not there: %+v", m)
		}
		b.secret("payments", "address", "no address")
		b.declare("payments", "lost", "{urlSecretRef: payments/missing}")
		for name, want := range map[string]string{"hidden": "holds no address", "lost": "payments/missing"} {
			if err := b.send(name, webhook.Message{}); err != nil {
				t.Fatal(err)
			}
			if m := b.last(name); m.State != webhook.Waiting || m.Attempts != 1 || !strings.Contains(m.Reason, want) {
				t.Errorf("%s: %+v", name, m)
			}
		}
	})
}

func TestWhatCanNotBeSentIsRefused(t *testing.T) {
	each(t, "", func(t *testing.T, b *bench) {
		b.declare("payments", "chat", "{url: 'https://chat.example.com'}")
		many := map[string]string{}
		for i := range 21 {
			many[fmt.Sprintf("X-%d", i)] = "x"
		}
		for name, m := range map[string]webhook.Message{
			"another method":        {Method: "DELETE"},
			"a header of ours":      {Headers: map[string]string{"X-Signature-256": "sha256=0"}},
			"the host":              {Headers: map[string]string{"host": "inside"}},
			"a header in two lines": {Headers: map[string]string{"X-A": "a\r\nHost: inside"}},
			"a name in two lines":   {Headers: map[string]string{"X-A\r\nHost": "inside"}},
			"many headers":          {Headers: many},
			"a large body":          {Body: []byte(strings.Repeat("x", 256<<10+1))},
		} {
			if err := b.send("chat", m); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestWhoMaySendWhere asks for policies of three spaces, about what is in them.
func TestWhoMaySendWhere(t *testing.T) {
	each(t, "", func(t *testing.T, b *bench) {
		b.declare("default", "root", "{url: 'https://a.example.com', labels: [all]}")
		b.declare("default", "open", "{url: 'https://b.example.com', shared: true, slack: {channels: [C1]}}")
		b.declare("payments", "own", "{url: 'https://c.example.com'}")
		b.declare("lab", "lab", "{url: 'https://d.example.com'}")
		b.declare("payments", "off", "{url: 'https://e.example.com', disabled: true}")
		for about, want := range map[string]string{"default": "open root", "payments": "own open root", "lab": "lab own open root"} {
			book, err := b.Book(system(), about)
			var names []string
			for _, w := range book.Webhooks() {
				names = append(names, w.ID())
			}
			if err != nil || strings.Join(names, " ") != want {
				t.Errorf("about %s: %v, %v; want %s", about, names, err, want)
			}
		}
		for _, c := range []struct{ policy, about, id, channel, want string }{
			{"default", "lab", "root", "", ""},
			{"default", "lab", "lab", "", ""},
			{"payments", "lab", "own", "", ""},
			{"payments", "lab", "open", "", ""},
			{"payments", "lab", "", "C1", ""},
			{"payments", "lab", "root", "", "not shared"},
			{"payments", "payments", "lab", "", "no webhook"},
			{"default", "payments", "off", "", "no webhook"},
			{"default", "payments", "", "C2", "channel"},
			{"default", "lab", "LAB", "", ""},
			{"lab", "payments", "own", "", "not above"},
		} {
			w, err := b.addressed(c.policy, c.about, c.id, c.channel)
			switch {
			case c.want == "" && (err != nil || c.id != "" && w.ID() != strings.ToLower(c.id)):
				t.Errorf("a policy of %s about %s: %s%s is %s, %v", c.policy, c.about, c.id, c.channel, w.ID(), err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("a policy of %s about %s: %s%s: %v; want %q", c.policy, c.about, c.id, c.channel, err, c.want)
			}
		}
	})
}

func TestDocumentsOfWebhooks(t *testing.T) {
	t.Parallel()
	kind := webhook.Kinds(&webhook.Service{})[0]
	for file, want := range map[string]string{"chat.yaml": "", "wrong.yaml": "not both no reference names no channel"} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		docs, err := document.Parse(file, text, document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, w := range kind.Validate(docs[0]) {
			said = append(said, w.Message)
		}
		all := strings.Join(said, "; ")
		for _, part := range []string{"not both", "no reference", "names no channel"} {
			if strings.Contains(all, part) != strings.Contains(want, part) {
				t.Errorf("%s: %q", file, all)
			}
		}
	}
	if !kind.Restricted || kind.Right != "integration:admin" {
		t.Error("anybody may declare a webhook")
	}
}
