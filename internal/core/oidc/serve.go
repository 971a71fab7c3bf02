package oidc

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where verifiers look, below the issuer.
const (
	Discovery = "/.well-known/openid-configuration"
	JWKS      = "/.well-known/jwks"
)

// Configuration gives what a verifier needs to know of the issuer (OpenID Connect Discovery 1.0). It asks for no right.
func (s *Service) Configuration() map[string]any {
	return map[string]any{
		"issuer": s.issuer, "jwks_uri": s.issuer + JWKS, "response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
		"claims_supported": []string{"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "space", "stack", "run", "run_type", "scope", "repository", "commit"},
	}
}

// Public gives the keys by which valid tokens are checked, as RFC 7517 writes them. It asks for no right. The first key is made
// for whoever asks first, so that a cloud can be told of the issuer before there is a token.
func (s *Service) Public(ctx context.Context) ([]json.RawMessage, error) {
	read := func(tx *store.Tx) (keys []json.RawMessage, err error) {
		rows, err := tx.Query(ctx, "SELECT "+keyColumns+" FROM oidc_keys ORDER BY number DESC")
		all, err := store.Collect(rows, err, scanKey)
		for _, k := range all {
			if k.Replaced.IsZero() || s.now().Before(k.Ends()) {
				keys = append(keys, json.RawMessage(k.public))
			}
		}
		return keys, err
	}
	var keys []json.RawMessage
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		keys, err = read(tx)
		return err
	})
	if err != nil || len(keys) > 0 {
		return keys, fault.Wrap(err, "read the keys of OIDC tokens")
	}
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		if _, err = s.current(ctx, tx); err == nil {
			keys, err = read(tx)
		}
		return err
	})
	return keys, fault.Wrap(err, "read the keys of OIDC tokens")
}

// Handler serves Discovery and JWKS to everybody.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	give := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=60")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux.HandleFunc("GET "+Discovery, func(w http.ResponseWriter, _ *http.Request) { give(w, s.Configuration()) })
	mux.HandleFunc("GET "+JWKS, func(w http.ResponseWriter, r *http.Request) {
		keys, err := s.Public(r.Context())
		if err != nil {
			http.Error(w, "the keys can't be read at this moment", http.StatusServiceUnavailable)
			return
		}
		give(w, map[string]any{"keys": keys})
	})
	return mux
}
