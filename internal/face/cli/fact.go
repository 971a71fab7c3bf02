package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) metrics() *cobra.Command {
	return group("metric", "What outside systems have measured of an entity", s.metricSet(), s.metricList(), s.metricRemove())
}

func (s *state) metricSet() *cobra.Command {
	var unit, link string
	var at instant
	c := s.verb("set ENTITY NAME VALUE", "Tell what was measured of an entity", cobra.ExactArgs(3), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := entityPath(args[:1])
		if err != nil {
			return err
		}
		value, err := strconv.ParseFloat(args[2], 64)
		if err != nil {
			return Usage(fmt.Errorf("%q is not a number", args[2]))
		}
		in := map[string]any{"value": value, "unit": unit, "url": link}
		if text := at.wire(); text != "" {
			in["at"] = text
		}
		var m client.Metric
		if err := api.Do(c.Context(), "PUT", path+"/metrics/"+url.PathEscape(args[1]), nil, in, &m); err != nil {
			return err
		}
		return s.show(c, m, func(w io.Writer) {
			fmt.Fprintf(w, "metric\t%s\nvalue\t%s\nmeasured\t%s\n", m.Name, withUnit(m), m.At.Format(time.RFC3339))
		})
	})
	c.Long = "Keeps a number of an entity under a name, for rules of scorecards and the entity's\npage. What was measured before what is kept changes nothing. A value below 0 comes\nafter --." + exitHelp
	c.Example = "  roadbed metric set shop coverage 81.5 --unit %\n  roadbed metric set api:default/orders budget 0.4 --url https://slo.example.com\n  roadbed metric set shop drift -- -3"
	c.Flags().StringVar(&unit, "unit", "", "`unit` of the value, such as %")
	c.Flags().StringVar(&link, "url", "", "`address` where to look")
	c.Flags().Var(&at, "at", "`time` when it was measured; now when not given")
	return c
}

func withUnit(m client.Metric) string {
	return strings.TrimSpace(strconv.FormatFloat(m.Value, 'f', -1, 64) + " " + m.Unit)
}

func (s *state) metricList() *cobra.Command {
	return listing(s, "list ENTITY", "What was measured of an entity", cobra.ExactArgs(1), whole, func(args []string) (list[client.Metric], error) {
		path, err := entityPath(args)
		return list[client.Metric]{
			path: path + "/metrics", head: "METRIC\tVALUE\tMEASURED\tWHERE", row: func(m client.Metric) []any { return []any{m.Name, withUnit(m), ago(m.At), m.URL} },
			noun: "metrics of it", next: "`roadbed metric set` keeps one",
		}, err
	})
}

func (s *state) metricRemove() *cobra.Command {
	return s.verb("remove ENTITY NAME", "Forget a metric of an entity", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := entityPath(args[:1])
		if err != nil {
			return err
		}
		if err := api.Do(c.Context(), "DELETE", path+"/metrics/"+url.PathEscape(args[1]), nil, nil, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.ErrOrStderr(), "removed the metric %s\n", args[1])
		return err
	})
}

func (s *state) findings() *cobra.Command {
	return group("finding", "What outside systems have found wrong with an entity", s.findingPush(), s.findingList())
}

// severities from the worst to the least.
func severities() []string { return []string{"critical", "high", "medium", "low", "info"} }

func knownSeverity(text string) error {
	if text != "" && !slices.Contains(severities(), text) {
		return Usage(fmt.Errorf("%q is no severity; choose of %s", text, strings.Join(severities(), ", ")))
	}
	return nil
}

func (s *state) findingPush() *cobra.Command {
	var source, file, least string
	c := s.verb("push ENTITY --source NAME -f FILE", "Tell all that a source has found wrong", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := entityPath(args)
		if err != nil {
			return err
		}
		if err := knownSeverity(least); err != nil {
			return err
		}
		found, err := findingsIn(c, file)
		if err != nil {
			return err
		}
		if least != "" {
			worst := severities()[:slices.Index(severities(), least)+1]
			found = slices.DeleteFunc(found, func(f client.NewFinding) bool {
				return slices.Contains(severities(), f.Severity) && !slices.Contains(worst, f.Severity)
			})
		}
		if len(found) > mostFindings {
			return fault.Errorf(fault.TooLarge, "there are %d findings, and at most %d are kept of an entity; leave out what matters least with --at-least", len(found), mostFindings)
		}
		var done client.FindingCounts
		if err := api.Do(c.Context(), "PUT", path+"/findings/"+url.PathEscape(source), nil, map[string]any{"findings": found}, &done); err != nil {
			return err
		}
		return s.show(c, done, func(w io.Writer) { fmt.Fprintf(w, "source\t%s\nfound\t%s\n", done.Source, severityList(done.Counts)) })
	})
	c.Long = "Keeps all that a scanner has found, in place of what the source had found before; a\nfile without any clears it. The file is SARIF 2.1.0, or JSON: {\"findings\": [{\"id\",\n\"severity\", \"title\", \"url\", \"at\"}]}. An entity has at most 1,000 findings." + exitHelp
	c.Example = "  roadbed finding push shop --source trivy -f scan.sarif\n  scan | roadbed finding push shop --source scan -f - --at-least high"
	c.Flags().StringVar(&source, "source", "", "`name` of what has found them")
	c.Flags().StringVarP(&file, "file", "f", "", "`file` of findings; - for standard input")
	c.Flags().StringVar(&least, "at-least", "", "leave out what is less than this `severity`")
	_, _ = c.MarkFlagRequired("source"), c.MarkFlagRequired("file") // the flags are there
	return c
}

// mostFindings is what the server keeps of an entity.
const mostFindings = 1000

// findingsLimit bounds a file of findings, in bytes.
const findingsLimit = 64 << 20

// findingsIn reads a file of findings, in either form.
func findingsIn(c *cobra.Command, file string) ([]client.NewFinding, error) {
	in := c.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "read findings: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, findingsLimit+1))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read findings: %w", err)
	}
	if len(text) > findingsLimit {
		return nil, fault.Errorf(fault.TooLarge, "%s is larger than %d MiB", file, findingsLimit>>20)
	}
	return readFindings(text)
}

func readFindings(text []byte) ([]client.NewFinding, error) {
	var form struct {
		Runs     json.RawMessage
		Findings []client.NewFinding
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the findings are not JSON: %w", err)
	}
	switch {
	case form.Runs != nil:
		return readSARIF(text)
	case form.Findings == nil:
		return nil, fault.Errorf(fault.Invalid, `there are neither "findings" nor the "runs" of SARIF; write {"findings": []} for none`)
	}
	return form.Findings, nil
}

func severityList(counts map[string]int) string {
	var parts []string
	for _, severity := range severities() {
		if n := counts[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, severity))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func (s *state) findingList() *cobra.Command {
	var source, severity string
	c := listing(s, "list ENTITY", "What was found wrong with an entity", cobra.ExactArgs(1), whole, func(args []string) (list[client.Finding], error) {
		path, err := entityPath(args)
		if err == nil {
			err = knownSeverity(severity)
		}
		query := url.Values{"source": {source}}
		if severity != "" {
			query.Set("severity", severity)
		}
		return list[client.Finding]{
			path: path + "/findings", query: query, head: "SEVERITY\tFINDING\tSOURCE\tFOUND\tTITLE",
			row:  func(f client.Finding) []any { return []any{f.Severity, f.ID, f.Source, ago(f.At), f.Title} },
			noun: "findings of it", next: "`roadbed finding push` tells what a scanner has found",
		}, err
	})
	c.Flags().StringVar(&source, "source", "", "only of this `source`")
	c.Flags().StringVar(&severity, "severity", "", "only of this `severity`")
	return c
}
