package api

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/insight"
)

func (a *API) factRoutes() {
	const of = "/entities/{kind}/{namespace}/{name}"
	const metric, source = of + "/metrics/{metric}", of + "/findings/{source}"
	register(a, operation("listMetrics", http.MethodGet, of+"/metrics", "scorecards", "What outside systems have measured of an entity, by name"), a.listMetrics)
	register(a, operation("setMetric", http.MethodPut, metric, "scorecards", "Tell what was measured of an entity"), a.setMetric)
	register(a, operation("removeMetric", http.MethodDelete, metric, "scorecards", "Forget a metric of an entity"), a.removeMetric)
	register(a, operation("listFindings", http.MethodGet, of+"/findings", "scorecards", "What outside systems have found wrong with an entity, the most severe first"), a.listFindings)
	push := operation("pushFindings", http.MethodPut, source, "scorecards", "Tell all that a source has found wrong with an entity; what is not among it goes")
	push.MaxBodyBytes = 6 << 20 // of so many, with all that they may have
	register(a, push, a.pushFindings)
}

type listMetricsInput struct {
	EntityInput
	Paging
}

func (a *API) listMetrics(ctx context.Context, in *listMetricsInput) (*body[List[client.Metric]], error) {
	part, err := a.Insight.Metrics(ctx, in.ref(), in.part())
	return listPart(part, wireMetric), err
}

func wireMetric(m insight.Metric) client.Metric {
	return client.Metric{Name: m.Name, Value: m.Value, Unit: m.Unit, URL: m.URL, At: m.At}
}

// MetricInput names a metric of an entity.
type MetricInput struct {
	EntityInput
	Metric string `path:"metric" maxLength:"63" doc:"Letters, digits, _, . and -, a letter first."`
}

type setMetricInput struct {
	MetricInput
	Body struct {
		Value float64   `json:"value"`
		Unit  string    `json:"unit,omitempty" maxLength:"30"`
		URL   string    `json:"url,omitempty" maxLength:"2000" doc:"Where to look: https://…"`
		At    time.Time `json:"at,omitzero" doc:"When it was measured; now when left out. What was measured before what is kept changes nothing."`
	}
}

func (a *API) setMetric(ctx context.Context, in *setMetricInput) (*body[client.Metric], error) {
	m, err := a.Insight.SetMetric(ctx, in.ref(), insight.Metric{Name: in.Metric, Value: in.Body.Value, Unit: in.Body.Unit, URL: in.Body.URL, At: in.Body.At})
	if err != nil {
		return nil, err
	}
	return answer(wireMetric(m)), nil
}

func (a *API) removeMetric(ctx context.Context, in *MetricInput) (*struct{}, error) {
	return nil, a.Insight.RemoveMetric(ctx, in.ref(), in.Metric)
}

type listFindingsInput struct {
	EntityInput
	Paging
	Source   string `query:"source" maxLength:"63" doc:"Only of this one."`
	Severity string `query:"severity" enum:"critical,high,medium,low,info" doc:"Only these."`
}

// FindingList is a page of findings, with how many there are of each severity.
type FindingList struct {
	Items  []client.Finding `json:"items"`
	Next   string           `json:"next,omitempty"`
	Counts map[string]int   `json:"counts" doc:"By severity: of all pages, whatever severity is asked for."`
}

func (a *API) listFindings(ctx context.Context, in *listFindingsInput) (*body[FindingList], error) {
	part, err := a.Insight.Findings(ctx, in.ref(), insight.FindingQuery{Source: in.Source, Severity: in.Severity}, in.part())
	if err != nil {
		return nil, err
	}
	out := FindingList{Items: make([]client.Finding, len(part.Items)), Next: part.Next, Counts: part.Counts}
	for i, f := range part.Items {
		out.Items[i] = client.Finding{Source: f.Source, ID: f.ID, Severity: f.Severity, Title: f.Title, URL: f.URL, At: f.At}
	}
	return answer(out), nil
}

type pushFindingsInput struct {
	EntityInput
	Source string `path:"source" maxLength:"63" doc:"Letters, digits, _, . and -, a letter first."`
	Body   struct {
		Findings []client.NewFinding `json:"findings" maxItems:"1000" doc:"All that the source has found; none clears it."`
	}
}

func (a *API) pushFindings(ctx context.Context, in *pushFindingsInput) (*body[client.FindingCounts], error) {
	found := make([]insight.Finding, len(in.Body.Findings))
	for i, f := range in.Body.Findings {
		found[i] = insight.Finding{ID: f.ID, Severity: f.Severity, Title: f.Title, URL: f.URL}
		if f.At != nil {
			found[i].At = *f.At
		}
	}
	counts, err := a.Insight.PushFindings(ctx, in.ref(), in.Source, found)
	if err != nil {
		return nil, err
	}
	return answer(client.FindingCounts{Source: in.Source, Counts: counts}), nil
}
