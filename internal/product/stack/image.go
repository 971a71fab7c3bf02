package stack

import (
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Images tells whether steps can run in a container image; the error says why not.
type Images func(image string) error

// checkImage holds what a document says of its image to what the pool can do.
func (s *Service) checkImage(d document.Document, spec Spec) []fault.Detail {
	if spec.Image == "" {
		return nil
	}
	if err := s.imageFits(spec.Image, spec.WorkerPool); err != nil {
		return []fault.Detail{d.At(fault.Message(err), "choose another image, or leave it out for what the pool has", "spec", "image")}
	}
	return nil
}

// images are those for a worker pool; "" is the server itself. Nil where there are none.
func (s *Service) images(pool string) Images {
	if pool != "" {
		return s.PoolImages
	}
	return s.Images
}

func (s *Service) imageFits(image, pool string) error {
	if len(image) > 500 || strings.ContainsAny(image, " \t\r\n\x00") {
		return fault.Errorf(fault.Invalid, "%q is not the reference of an image", image)
	}
	may := s.images(pool)
	switch {
	case may != nil:
		return may(image)
	case pool != "":
		return fault.Errorf(fault.Denied, "image %s can't be used: this server allows the agents of pools none; have its administrator name those that steps may run in (--container-allow)", image)
	}
	return fault.Errorf(fault.Denied, "image %s can't be used: this server runs steps as processes of its machine; have it run containers (--executor container)", image)
}

// settleImage holds the image of a run to what the pool can do. One that a file of the repository names is left out, with a
// warning, where there are no images: repositories come from where there are.
func (s *Service) settleImage(e *Environment, pool string) {
	switch {
	case e.Image == "":
	case s.images(pool) == nil && e.ImageFrom != fromStack:
		why := "this server runs steps as processes of its machine"
		if pool != "" {
			why = "this server allows the agents of pools no images (--container-allow)"
		}
		e.Warnings = append(e.Warnings, fmt.Sprintf("%s: runner_image is not used here: %s", e.ImageFrom, why))
		e.Image, e.ImageFrom = "", ""
	default:
		if err := s.imageFits(e.Image, pool); err != nil {
			e.wrong(fmt.Sprintf("%s: %s", e.ImageFrom, fault.Message(err)))
		}
	}
}

// inImage has a job run in the image of its run. A pool that has no images refuses it.
func (in Input) inImage(job *worker.Job) {
	job.Image, job.OwnImage = in.Image, in.Image != ""
}
