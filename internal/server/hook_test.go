package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
)

// integrationNone is an integration with a forge that does not answer, whose webhooks are signed with the secret
// default/none.
const integrationNone = `{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: none}, spec: {forge: gitea, url: "http://127.0.0.1:1", token: {secretRef: default/none}, webhook: {secretRef: default/none}}}
`

// signed is a delivery as Gitea sends it.
func signed(address, integration, secret, event, id, body string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, address+"/hooks/"+integration, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Gitea-Event", event)
	r.Header.Set("X-Gitea-Delivery", id)
	r.Header.Set("X-Gitea-Signature", hex.EncodeToString(sum.Sum(nil)))
	return r, nil
}

// deliver sends a delivery and gives the answer.
func deliver(t *testing.T, address, integration, secret, event, id, body string) (int, string) {
	t.Helper()
	r, err := signed(address, integration, secret, event, id, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}
