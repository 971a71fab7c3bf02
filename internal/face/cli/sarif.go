package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// sarifLog is what is read of a file of SARIF.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type sarifLog struct {
	Version string
	Runs    []struct {
		Tool struct {
			Driver     sarifTool
			Extensions []sarifTool
		}
		Results []sarifResult
	}
}

type sarifTool struct{ Rules []sarifRule }

type sarifRule struct {
	ID                   string
	HelpURI              string
	ShortDescription     sarifText
	MessageStrings       map[string]sarifText
	DefaultConfiguration struct{ Level string }
	Properties           map[string]json.RawMessage
}

type sarifText struct{ Text string }

type sarifResult struct {
	RuleID    string
	RuleIndex *int
	Rule      struct {
		ID            string
		Index         *int
		ToolComponent struct{ Index *int } // of the extensions; without it the driver is meant
	}
	Kind, Level, GUID, BaselineState string
	Message                          struct{ ID, Text string }
	Locations                        []struct {
		PhysicalLocation struct {
			ArtifactLocation struct{ URI string }
			Region           struct{ StartLine int }
		}
	}
	Fingerprints, PartialFingerprints map[string]string
	Suppressions                      []struct{ Status string }
	Properties                        map[string]json.RawMessage
}

// readSARIF gives the findings of a file of SARIF 2.1.0: what fails, is still there, and is not suppressed.
func readSARIF(text []byte) ([]client.NewFinding, error) {
	var log sarifLog
	if err := json.Unmarshal(text, &log); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the file is not SARIF: %w", err)
	}
	if log.Version != "2.1.0" {
		return nil, fault.Errorf(fault.Invalid, "the file is SARIF %.20q; write 2.1.0", log.Version)
	}
	found, taken := []client.NewFinding{}, map[string]int{} // by id: how many wanted it
	for _, run := range log.Runs {
		tools := append([]sarifTool{run.Tool.Driver}, run.Tool.Extensions...)
		for _, r := range run.Results {
			if !r.counts() {
				continue
			}
			rule := r.rule(tools)
			f := client.NewFinding{ID: r.id(rule), Severity: r.severity(rule), Title: r.title(rule), URL: webAddress(rule.HelpURI)}
			for id := f.ID; taken[f.ID] > 0; {
				taken[id]++
				more := "#" + strconv.Itoa(taken[id])
				f.ID = oneLine(id, idLength-len(more)) + more
			}
			taken[f.ID]++
			found = append(found, f)
		}
	}
	return found, nil
}

// counts tells whether a result is something wrong that nobody has accepted.
func (r sarifResult) counts() bool {
	accepted := slices.ContainsFunc(r.Suppressions, func(s struct{ Status string }) bool { return s.Status == "" || s.Status == "accepted" })
	return (r.Kind == "" || r.Kind == "fail" || r.Kind == "open" || r.Kind == "review") && r.BaselineState != "absent" && !accepted
}

// rule gives the rule of a result: by its place, else by its id.
func (r sarifResult) rule(tools []sarifTool) sarifRule {
	tool, index := 0, r.Rule.Index
	if index == nil {
		index = r.RuleIndex
	}
	if r.Rule.ToolComponent.Index != nil {
		tool = *r.Rule.ToolComponent.Index + 1
	}
	if index != nil && tool >= 0 && tool < len(tools) && *index >= 0 && *index < len(tools[tool].Rules) {
		return tools[tool].Rules[*index]
	}
	id := r.RuleID
	if id == "" {
		id = r.Rule.ID
	}
	for _, t := range tools {
		for _, rule := range t.Rules {
			// A result may name a part of a rule: CA2101/2.
			if rule.ID != "" && (rule.ID == id || strings.HasPrefix(id, rule.ID+"/")) {
				return rule
			}
		}
	}
	return sarifRule{ID: id}
}

// Lengths that the server takes, in characters.
const (
	idLength    = 200
	titleLength = 500
)

// id gives what a result is known by in the next file: what its tool calls it, else its rule and its place.
func (r sarifResult) id(rule sarifRule) string {
	name := rule.ID
	if r.RuleID != "" {
		name = r.RuleID
	}
	if name == "" {
		name = "finding"
	}
	mark := r.GUID
	for _, prints := range []map[string]string{r.PartialFingerprints, r.Fingerprints} {
		if keys := slices.Sorted(maps.Keys(prints)); len(keys) > 0 {
			mark = prints[keys[0]]
		}
	}
	if mark == "" && len(r.Locations) > 0 {
		at := r.Locations[0].PhysicalLocation
		if mark = at.ArtifactLocation.URI; mark != "" && at.Region.StartLine > 0 {
			mark += ":" + strconv.Itoa(at.Region.StartLine)
		}
	}
	if mark == "" {
		return oneLine(name, idLength)
	}
	return oneLine(name+"@"+mark, idLength)
}

// severity is by the score that GitHub's code scanning reads (9 and more is critical, 7 high, 4 medium), else by the level.
func (r sarifResult) severity(rule sarifRule) string {
	for _, properties := range []map[string]json.RawMessage{r.Properties, rule.Properties} {
		score, err := strconv.ParseFloat(strings.Trim(string(properties["security-severity"]), `" `), 64)
		switch {
		case err != nil:
			continue
		case score >= 9:
			return "critical"
		case score >= 7:
			return "high"
		case score >= 4:
			return "medium"
		case score > 0:
			return "low"
		}
	}
	level := r.Level
	if level == "" {
		level = rule.DefaultConfiguration.Level
	}
	switch level {
	case "error":
		return "high"
	case "note":
		return "low"
	case "none":
		return "info"
	}
	return "medium" // a warning, which is what is meant without a level
}

func (r sarifResult) title(rule sarifRule) string {
	for _, text := range []string{r.Message.Text, rule.MessageStrings[r.Message.ID].Text, rule.ShortDescription.Text, rule.ID, r.RuleID} {
		if line := oneLine(text, titleLength); line != "" {
			if len(r.Locations) > 0 {
				if uri := r.Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "" && !strings.Contains(line, uri) {
					line = oneLine(fmt.Sprintf("%s (%s)", line, uri), titleLength)
				}
			}
			return line
		}
	}
	return "a finding without a text"
}

// oneLine gives a text on one line, shortened to so many characters.
func oneLine(text string, most int) string {
	text = strings.ToValidUTF8(text, "")
	runes := []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

// webAddress gives an address that can be opened, or nothing.
func webAddress(text string) string {
	const most = 2000
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(text) > most {
		return ""
	}
	return text
}
