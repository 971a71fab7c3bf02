package oidc

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// IDToken signs what a step is given: whose it is, for whom, and what else its job says of it. It asks for no right: core/run
// calls it for the worker that takes the step, in the transaction in which it does.
func (s *Service) IDToken(ctx context.Context, tx *store.Tx, run, step, space string, asked worker.IDToken) (string, error) {
	if asked.Audience == "" || asked.Subject == "" {
		return "", fault.Errorf(fault.Invalid, "an OIDC token needs an audience and a subject")
	}
	k, err := s.current(ctx, tx)
	if err != nil {
		return "", err
	}
	key, err := s.private(k)
	if err != nil {
		return "", err
	}
	now, id := s.now(), rand.Text()
	claims := map[string]any{}
	for name, value := range asked.Claims {
		claims[name] = value
	}
	maps.Copy(claims, map[string]any{ // nothing that a job says takes the place of these
		"iss": s.issuer, "aud": asked.Audience, "sub": asked.Subject, "jti": id, "space": space, "run": run,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(TokenTime).Unix(),
	})
	token, err := sign(key, k.ID, claims)
	if err != nil {
		return "", err
	}
	return token, s.note(ctx, tx, ledger.Entry{Type: "oidc.issued", Space: space, Subject: run, Refs: []string{step}}, struct {
		ID       string `json:"jti"`
		Audience string `json:"audience"`
		Subject  string `json:"sub"`
	}{id, asked.Audience, asked.Subject})
}

// sign gives a JSON web token (RFC 7519) by RS256 (RFC 7518, 3.3).
func sign(key *rsa.PrivateKey, id string, claims map[string]any) (string, error) {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": id})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := encode(head) + "." + encode(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fault.Wrap(err, "sign an OIDC token")
	}
	return text + "." + encode(signature), nil
}

func cursorOf(number int64) string { return strconv.FormatInt(number, 10) }

// numberOf reads a cursor; "" is before the first.
func numberOf(cursor string) (int64, error) {
	if cursor == "" {
		return math.MaxInt64, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil {
		return 0, fault.Errorf(fault.Invalid, "cursor %q is not one of this list", cursor)
	}
	return n, nil
}
