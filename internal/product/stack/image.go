package stack

import (
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Images tells whether the steps of the default pool can run in a container image; the error says why not.
type Images func(image string) error

// checkImage holds what a document says of its image to what the pool can do.
func (s *Service) checkImage(d document.Document, spec Spec) []fault.Detail {
	if spec.Image == "" {
		return nil
	}
	if err := s.imageFits(spec.Image); err != nil {
		return []fault.Detail{d.At(fault.Message(err), "choose another image, or leave it out for what the pool has", "spec", "image")}
	}
	return nil
}

func (s *Service) imageFits(image string) error {
	if len(image) > 500 || strings.ContainsAny(image, " \t\r\n\x00") {
		return fault.Errorf(fault.Invalid, "%q is not the reference of an image", image)
	}
	if s.Images == nil {
		return fault.Errorf(fault.Denied, "image %s can't be used: this server runs steps as processes of its machine; have it run containers (--executor container)", image)
	}
	return s.Images(image)
}

// settleImage holds the image of a run to what the pool can do. One that a file of the repository names is left out, with a
// warning, where there are no images: repositories come from where there are.
func (s *Service) settleImage(e *Environment) {
	switch {
	case e.Image == "":
	case s.Images == nil && e.ImageFrom != fromStack:
		e.Warnings = append(e.Warnings, fmt.Sprintf("%s: runner_image is not used here: this server runs steps as processes of its machine", e.ImageFrom))
		e.Image, e.ImageFrom = "", ""
	default:
		if err := s.imageFits(e.Image); err != nil {
			e.wrong(fmt.Sprintf("%s: %s", e.ImageFrom, fault.Message(err)))
		}
	}
}

// inImage has a job run in the image of its run. A pool that has no images refuses it.
func (in Input) inImage(job *worker.Job) {
	job.Image, job.OwnImage = in.Image, in.Image != ""
}
