package tfe

import (
	"net/http"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *Handler) costRoutes() {
	h.handle("cost-estimates/{estimate}", func(w http.ResponseWriter, r *http.Request) error {
		d, err := h.detail(r.Context(), houseID(r.PathValue("estimate"), "ce", "run"))
		if err != nil {
			return err
		}
		estimate := wireEstimate(d)
		if estimate == nil {
			return fault.Errorf(fault.NotFound, "what run %s costs is not known in dollars", wireID(d.Run.ID))
		}
		return one(w, http.StatusOK, estimate)
	})
}

// dollars is the currency of all that clients are told of costs: they write a dollar sign before it.
const dollars = "USD"

// estimateID names what a run costs; "" where that is not known, or in another currency. The log of its plan tells it in any.
func estimateID(r run.Run) string {
	if c := outputOf(r).Cost; c == nil || c.Currency != dollars {
		return ""
	}
	return "ce" + wireID(r.ID)[len("run"):]
}

// wireEstimate gives what a run costs; nil where it has no id. It is known as soon as the plan is judged.
func wireEstimate(d run.Detail) object {
	id := estimateID(d.Run)
	if id == "" {
		return nil
	}
	c := outputOf(d.Run).Cost
	at := object{}
	if judge := newest(d.Steps, "judge"); judge != nil {
		at = stepTimes(judge)
	}
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	return resource("cost-estimates", id, object{
		"status": "finished", "error-message": nil, "status-timestamps": at,
		"prior-monthly-cost": text(c.Before), "proposed-monthly-cost": text(c.After), "delta-monthly-cost": text(c.Delta),
		"resources-count": c.Priced + c.Unpriced, "matched-resources-count": c.Priced, "unmatched-resources-count": c.Unpriced,
	}, nil)
}
