package pool

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	workers "github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Containers is what an agent that runs steps in containers tells of its executor.
const Containers = "container"

// checkImage holds the image of a pool to what the server allows.
func (s *Service) checkImage(d document.Document, spec Spec) []fault.Detail {
	if spec.Image == "" {
		return nil
	}
	err := s.allows(spec.Image)
	if err == nil && (len(spec.Image) > 500 || strings.ContainsAny(spec.Image, " \t\r\n\x00")) {
		err = fault.Errorf(fault.Invalid, "%.200q is not the reference of an image", spec.Image)
	}
	if err != nil {
		return []fault.Detail{d.At(fault.Message(err), "", "spec", "image")}
	}
	return nil
}

func (s *Service) allows(image string) error {
	if s.Images == nil {
		return fault.Errorf(fault.Denied, "the image %.200s can't be used: this server allows none; have its administrator name those that steps may run in (--container-allow)", image)
	}
	return s.Images(image)
}

// fits gives a job that names no image the pool's, and refuses one that the server does not allow. Where an agent runs
// processes, an image that is only noted is left alone.
func (s *Service) fits(p Pool, containers bool, job *workers.Job) error {
	if p.Image != "" {
		if job.Image == "" {
			job.Image, job.OwnImage = p.Image, true
		}
		if job.Then != nil {
			then := *job.Then
			then.Image = p.Image
			job.Then = &then
			if err := s.allows(p.Image); err != nil {
				return err
			}
		}
	}
	if job.Image == "" || !containers && !job.OwnImage {
		return nil
	}
	return s.allows(job.Image)
}
