package run

import (
	"encoding/json"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A row of a step is read by people, and copied by who backs the database up. So what secrets were taken out of rests in
// it sealed: a result as the step gave it, and a whole job that names texts to hide, since it holds them.

// storedJob is a job as its row has it.
type storedJob struct {
	worker.Job        // of a sealed one, its shownJob
	Whole      []byte `json:"whole,omitempty"` // a worker.Job, sealed
}

// shownJob is what can be seen of a job that is sealed: its kind, its action, whether it changes what is outside, and which secrets it knows, unless their
// names tell something.
func shownJob(job worker.Job) worker.Job {
	hide := worker.Hiding(job.Masks)
	shown := worker.Job{Kind: job.Kind, Action: job.Action, Changes: job.Changes}
	shown.MaskRefs = slices.Concat(job.SecretRefs(), job.MaskRefs)
	shown.MaskRefs = slices.DeleteFunc(shown.MaskRefs, func(r string) bool { return hide(r) != r })
	return shown
}

// storedResult is a result as its row has it.
type storedResult struct {
	worker.Result
	Given []byte `json:"given,omitempty"` // a worker.Clear, sealed
}

// seal seals what of a step must not rest in the clear and is not sealed yet.
func (s *Service) seal(step *Step) error {
	if step.fresh && step.sealedJob == nil && len(step.Job.Masks) > 0 {
		var err error
		if step.sealedJob, err = s.sealedJSON(step.Job); err != nil {
			return fault.Wrap(err, "seal the job of step %s", step.Key)
		}
	}
	if step.Result.Clear != nil && step.sealedResult == nil {
		var err error
		if step.sealedResult, err = s.sealedJSON(step.Result.Clear); err != nil {
			return fault.Wrap(err, "seal what step %s gave", step.Key)
		}
	}
	return nil
}

func (s *Service) sealedJSON(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.Seal.Seal(plain)
}

// jobOf gives the whole job of a step.
func (s *Service) jobOf(step *Step) (job worker.Job, err error) {
	if step.sealedJob == nil {
		return step.Job, nil
	}
	err = s.unseal(step.sealedJob, &job)
	return job, fault.Wrap(err, "open the job of step %s", step.Key)
}

func (s *Service) unseal(sealed []byte, into any) error {
	plain, err := s.Seal.Open(sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// open gives a step what it gave as it was.
func (s *Service) open(step *Step) error {
	if step.sealedResult == nil {
		return nil
	}
	clear := &worker.Clear{}
	if err := s.unseal(step.sealedResult, clear); err != nil {
		return fault.Wrap(err, "open what step %s gave", step.Key)
	}
	step.Result.Clear = clear
	return nil
}

// Open gives steps that a product has read, unauthorised, what they gave as it was (worker.Result.Given). What the
// product shows of it goes through Hiding.
func (s *Service) Open(steps []Step) error {
	for i := range steps {
		if err := s.open(&steps[i]); err != nil {
			return err
		}
	}
	return nil
}

// Hiding gives a function that takes out of texts the secrets that were in what these opened steps gave.
func Hiding(steps []*Step) func(text string) string { return worker.Hiding(secretsOf(steps)) }

func secretsOf(steps []*Step) []string {
	var all []string
	for _, step := range steps {
		if step.Result.Clear != nil {
			all = append(all, step.Result.Clear.Secrets...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Hide gives a text for people: without the secrets that were in what steps of the run gave.
func (v *View) Hide(text string) string {
	if secrets := secretsOf(v.Steps); v.hide == nil || !slices.Equal(secrets, v.hidden) { // a step has ended, or begun anew
		v.hide, v.hidden = worker.Hiding(secrets), secrets
	}
	return v.hide(text)
}
