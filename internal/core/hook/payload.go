package hook

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// rowLimit is how large a compressed payload may be to lie in its row. A row of 1 MiB holds SQLite's writer for about
// 6 ms, where a file takes 3 ms beside it; one of 25 MiB holds it for 150 ms. Below, files only take longer.
const rowLimit = 1 << 20

// packed is a payload as it is kept.
type packed struct {
	headers string
	body    []byte // compressed; empty when it is in blob
	blob    string
	size    int64 // of the compressed body
}

// stored is how many bytes it takes.
func (p packed) stored() int64 { return p.size + int64(len(p.headers)) }

func (s *Service) pack(ctx context.Context, in Incoming) (p packed, err error) {
	headers, err := json.Marshal(keep(in.Header))
	if err != nil {
		return p, err
	}
	p.headers = string(headers)
	w, _ := s.packers.Get().(*gzip.Writer)
	if w == nil {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	}
	defer s.packers.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	large := len(in.Body) > rowLimit
	if large {
		w.Comment = ref.NewID(ref.Delivery, s.Now()) // so that its blob is no other's, and can be deleted
	}
	if _, err := w.Write(in.Body); err != nil {
		return p, err
	}
	if err := w.Close(); err != nil {
		return p, err
	}
	p.body, p.size = out.Bytes(), int64(out.Len())
	if large && out.Len() > rowLimit {
		p.body = []byte{}
		p.blob, p.size, err = s.Blob.Put(ctx, &out, 0)
	}
	return p, err
}

// discard removes the blob of a payload that no row came to name.
func (s *Service) discard(ctx context.Context, p packed) {
	if p.blob != "" {
		if err := s.Blob.Delete(context.WithoutCancel(ctx), p.blob); err != nil {
			s.Log.WarnContext(ctx, "the payload of a delivery that is not kept could not be removed", "blob", p.blob, "error", err)
		}
	}
}

func (p packed) write(ctx context.Context, tx *store.Tx, number int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO hook_payloads (number, headers, body, content) VALUES ($1, $2, $3, $4)`, number, p.headers, p.body, p.blob)
	return err
}

// payload reads what a delivery said. NotFound when it is kept no more.
func (s *Service) payload(ctx context.Context, d Delivery) (p Payload, err error) {
	var headers, address string
	var body []byte
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT headers, body, content FROM hook_payloads WHERE number = $1`, d.Number).Scan(&headers, &body, &address)
	})
	if fault.Is(err, fault.NotFound) {
		return p, fault.Errorf(fault.NotFound, "what delivery %d said is not kept any more", d.Number)
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(headers), &p.Headers); err != nil {
		return p, fault.Wrap(err, "read the headers of delivery %d", d.Number)
	}
	var from io.Reader = bytes.NewReader(body)
	if address != "" {
		content, _, err := s.Blob.Open(ctx, address)
		if err != nil {
			return p, err
		}
		defer content.Close()
		from = content
	}
	unpacked, err := gzip.NewReader(from)
	if err == nil {
		p.Body, err = io.ReadAll(io.LimitReader(unpacked, BodyLimit))
	}
	if err != nil {
		return p, fault.Errorf(fault.Invalid, "what is kept of delivery %d is damaged: %w", d.Number, err)
	}
	return p, nil
}

// kept are the headers that tell what a delivery is. Others may hold what an administrator of the forge made up, such as
// a token of their own.
var kept = []string{"Content-Type", "Idempotency-Key", "User-Agent", "Webhook-Id", "Webhook-Timestamp"}

// keep gives the headers that are kept.
func keep(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		forges := strings.HasPrefix(name, "X-Github-") || strings.HasPrefix(name, "X-Gitlab-") || strings.HasPrefix(name, "X-Gitea-") ||
			strings.HasPrefix(name, "X-Forgejo-") || strings.HasPrefix(name, "X-Gogs-")
		secret := strings.Contains(name, "Signature") || strings.Contains(name, "Token") || strings.Contains(name, "Secret")
		if len(values) > 0 && !secret && (forges || slices.Contains(kept, name)) {
			out.Set(name, clip(values[0], 1000))
		}
	}
	return out
}

// clip cuts a text, at the boundary of a character.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") // which PostgreSQL does not take
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
