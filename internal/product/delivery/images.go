package delivery

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// RegistryHost is how manifests name the embedded registry.
const RegistryHost = "registry.local"

var localImage = regexp.MustCompile(`^registry\.local/([a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*)([:@].*)?$`)

// checkImages holds images of the embedded registry to repositories of the application's space and those below it.
func (s *Service) checkImages(ctx context.Context, a Application, list []manifest) error {
	var wrong []fault.Detail
	for _, m := range list {
		for _, image := range images(m.Raw) {
			if host, _, _ := strings.Cut(image, "/"); !strings.EqualFold(host, RegistryHost) {
				continue // the cluster's own rules hold
			}
			parts := localImage.FindStringSubmatch(image)
			if parts == nil {
				wrong = append(wrong, fault.Detail{File: m.File, Line: m.Line, Field: "image",
					Message: fmt.Sprintf("%.300q is not an image of the embedded registry", image), Hint: "write " + RegistryHost + "/NAMESPACE/NAME@sha256:…"})
				continue
			}
			ok, err := s.mayUse(ctx, a, parts[1])
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if !ok {
				wrong = append(wrong, fault.Detail{File: m.File, Line: m.Line, Field: "image",
					Message: fmt.Sprintf("%s belongs to no repository that space %s may use", image, a.Space), Hint: "name an image of this repository"})
			}
		}
	}
	if len(wrong) > 0 {
		return fault.At("the manifests name images that this application may not run", wrong...)
	}
	return nil
}

func (s *Service) mayUse(ctx context.Context, a Application, repository string) (bool, error) {
	space, err := s.Repositories.SpaceOf(ctx, repository)
	if err != nil {
		return false, err
	}
	return s.Access.Within(ctx, space, a.Space)
}

// images lists the images of an object's containers, wherever they stand.
func images(raw any) []string {
	var out []string
	switch v := raw.(type) {
	case map[string]any:
		for key, value := range v {
			if key != "containers" && key != "initContainers" {
				out = append(out, images(value)...)
				continue
			}
			list, _ := value.([]any)
			for _, c := range list {
				if m, ok := c.(map[string]any); ok {
					if image, ok := m["image"].(string); ok {
						out = append(out, image)
					}
				}
			}
		}
	case []any:
		for _, value := range v {
			out = append(out, images(value)...)
		}
	}
	slices.Sort(out)
	return out
}
