package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// loops does bare what the ingest can't do without, of a part of it: the YAML library over the same bytes, and SQLite
// with the same rows. Beside them the figures of a busy machine can be read.
func (c *catalogued) loops(ctx context.Context) error {
	some := c.made.files[:max(1, min(len(c.made.files), 100))]
	var texts [][]byte
	for _, file := range some {
		text, err := os.ReadFile(filepath.Join(c.work, file))
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	scale := float64(len(c.made.files)) / float64(len(some))
	began := time.Now()
	for _, text := range texts {
		for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var node yaml.Node
			if err := d.Decode(&node); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	figure(c.name("loop_yaml_parse_of_all"), time.Since(began).Seconds()*scale, "s")
	took, err := bareInserts(ctx, filepath.Join(c.dir, c.kind+"-bare.db"), texts)
	figure(c.name("loop_sqlite_insert_of_all"), took.Seconds()*scale, "s")
	return err
}

// bareInserts writes a row for each document, of its text and a few short columns, as an entity and as a version.
func bareInserts(ctx context.Context, file string, texts [][]byte) (took time.Duration, err error) {
	db, err := store.Open(ctx, "sqlite:"+file, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.Write(ctx, func(tx *store.Tx) error {
		for _, statement := range []string{
			`CREATE TABLE entities (ref TEXT PRIMARY KEY, uid TEXT UNIQUE, kind TEXT, owner TEXT, source TEXT, document TEXT, updated BIGINT)`,
			`CREATE INDEX kinds ON entities (kind, ref)`, `CREATE INDEX sources ON entities (source, ref)`,
			`CREATE TABLE versions (ref TEXT, version BIGINT, document TEXT, time BIGINT, PRIMARY KEY (ref, version))`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	began, n := time.Now(), 0
	for _, text := range texts {
		if err != nil {
			break
		}
		err = db.Write(ctx, func(tx *store.Tx) error {
			for _, document := range strings.Split(string(text), "---\n")[1:] {
				n++
				name := fmt.Sprintf("component:made/part-%06d", n)
				if _, err := tx.Exec(ctx, `INSERT INTO entities VALUES ($1, $2, 'component', 'group:default/team', 'location:one', $3, $4)`, name, fmt.Sprintf("ent_%020d", n), document, n); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `INSERT INTO versions VALUES ($1, 1, $2, $3)`, name, document, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return time.Since(began), err
}

// bareHandler measures an HTTP server that does nothing but answer 2 KB.
func bareHandler(ctx context.Context, kind string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	answer := bytes.Repeat([]byte("roadbed "), 256)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // it ends with Close
	defer s.Close()
	address := "http://" + l.Addr().String()
	var took spread
	for range catalogRounds {
		began := time.Now()
		if err := get(ctx, address, ""); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	took.show(kind + "_loop_bare_handler")
	n, err := throughput(ctx, address, "", func(int) string { return "/" })
	figure(kind+"_loop_bare_handler_on_8_connections", n, "1/s")
	return err
}
