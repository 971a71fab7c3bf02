package cli

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const scan = `{"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [{
  "tool": {"driver": {"name": "scanner", "rules": [
    {"id": "CVE-2026-1", "helpUri": "https://example.com/CVE-2026-1", "shortDescription": {"text": "A hole"}, "properties": {"security-severity": "9.8"}},
    {"id": "unused", "helpUri": "javascript:alert(1)", "defaultConfiguration": {"level": "note"}, "messageStrings": {"one": {"text": "An unused\nvariable"}}}
  ]}, "extensions": [{"name": "more", "rules": [{"id": "style", "defaultConfiguration": {"level": "error"}}]}]},
  "results": [
    {"ruleId": "CVE-2026-1", "ruleIndex": 0, "message": {"text": "libx 1.2 has a hole"}, "level": "note", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "go.sum"}, "region": {"startLine": 7}}}]},
    {"ruleId": "CVE-2026-1", "message": {"text": ""}, "properties": {"security-severity": 5.5}, "partialFingerprints": {"b": "2", "a": "f00"}},
    {"ruleId": "CVE-2026-1", "message": {"text": "again"}, "partialFingerprints": {"a": "f00"}},
    {"ruleId": "unused/2", "message": {"id": "one"}},
    {"rule": {"index": 0, "toolComponent": {"index": 0}}, "message": {"text": "badly written"}, "guid": "g1"},
    {"ruleIndex": 99, "message": {}},
    {"ruleId": "unused", "kind": "pass", "message": {"text": "fine"}},
    {"ruleId": "unused", "baselineState": "absent", "message": {"text": "was there"}},
    {"ruleId": "unused", "suppressions": [{"kind": "external"}], "message": {"text": "accepted"}},
    {"ruleId": "unused", "level": "none", "suppressions": [{"kind": "external", "status": "rejected"}], "message": {"text": "not accepted"}}
  ]}]}`

func TestSARIFIsRead(t *testing.T) {
	t.Parallel()
	found, err := readFindings([]byte(scan))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, strings.Join([]string{f.Severity, f.ID, f.Title, f.URL}, " | "))
	}
	want := []string{
		"critical | CVE-2026-1@go.sum:7 | libx 1.2 has a hole (go.sum) | https://example.com/CVE-2026-1",
		"medium | CVE-2026-1@f00 | A hole | https://example.com/CVE-2026-1",
		"critical | CVE-2026-1@f00#2 | again | https://example.com/CVE-2026-1",
		"low | unused/2 | An unused variable | ",
		"high | style@g1 | badly written | ",
		"medium | finding | a finding without a text | ",
		"info | unused | not accepted | ",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("read are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestFindingsAreReadInTheirOwnForm(t *testing.T) {
	t.Parallel()
	found, err := readFindings([]byte(`{"findings": [{"id": "a", "severity": "low", "title": "A", "at": "2026-05-01T08:00:00Z"}]}`))
	if err != nil || len(found) != 1 || found[0].ID != "a" || found[0].At == nil {
		t.Errorf("read are %+v, %v", found, err)
	}
	if found, err := readFindings([]byte(`{"findings": []}`)); err != nil || found == nil || len(found) != 0 {
		t.Errorf("of none are read %+v, %v", found, err)
	}
	if found, err := readFindings([]byte(`{"version": "2.1.0", "runs": []}`)); err != nil || found == nil || len(found) != 0 {
		t.Errorf("of no runs are read %+v, %v", found, err)
	}
	for text, says := range map[string]string{"": "not JSON", "[]": "not JSON", "{}": "write {", `{"runs": [], "version": "1.0"}`: "write 2.1.0", `{"runs": 1, "version": "2.1.0"}`: "not SARIF"} {
		if _, err := readFindings([]byte(text)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s gives %v", text, err)
		}
	}
}

// FuzzSARIF holds what is read to what the server takes: ids that differ, known severities, texts on one line.
func FuzzSARIF(f *testing.F) {
	f.Add([]byte(scan))
	f.Add(fmt.Appendf(nil, `{"version":"2.1.0","runs":[{"results":[{"ruleId":%q,"message":{"text":%q}}]}]}`, strings.Repeat("x", 300), strings.Repeat("ä\x00", 900)))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := readSARIF(text)
		if err != nil {
			return
		}
		ids := map[string]bool{}
		for _, x := range found {
			if ids[x.ID] || x.ID == "" || len([]rune(x.ID)) > idLength || x.Title == "" || len([]rune(x.Title)) > titleLength || knownSeverity(x.Severity) != nil || strings.ContainsFunc(x.ID+x.Title, unicode.IsControl) {
				t.Errorf("read is %+v", x)
			}
			ids[x.ID] = true
		}
	})
}
