package delivery

import (
	"cmp"
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
		for _, placed := range images(m.Raw, "") {
			image := placed.name
			if host, _, _ := strings.Cut(image, "/"); !strings.EqualFold(host, RegistryHost) {
				continue // the cluster's own rules hold
			}
			parts := localImage.FindStringSubmatch(image)
			if parts == nil {
				wrong = append(wrong, m.object(m.Raw).Fault(placed.field,
					fmt.Sprintf("%.300q is not an image of the embedded registry", image), "write "+RegistryHost+"/NAMESPACE/NAME@sha256:…"))
				continue
			}
			ok, err := s.mayUse(ctx, a, parts[1])
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if !ok {
				wrong = append(wrong, m.object(m.Raw).Fault(placed.field,
					fmt.Sprintf("%s belongs to no repository that space %s may use", image, a.Space), "name an image of this repository"))
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

// placedImage is an image and the field in which it stands.
type placedImage struct{ name, field string }

// images lists the images of the containers of what stands at a field, wherever they are in it.
func images(raw any, field string) (out []placedImage) {
	switch v := raw.(type) {
	case map[string]any:
		for key, value := range v {
			at := strings.TrimPrefix(field+"."+key, ".")
			if key == "containers" || key == "initContainers" {
				list, _ := value.([]any)
				for i, c := range list {
					if m, ok := c.(map[string]any); ok {
						if image, ok := m["image"].(string); ok {
							out = append(out, placedImage{image, fmt.Sprintf("%s[%d].image", at, i)})
						}
					}
				}
				continue
			}
			out = append(out, images(value, at)...)
		}
	case []any:
		for i, value := range v {
			out = append(out, images(value, fmt.Sprintf("%s[%d]", field, i))...)
		}
	}
	slices.SortFunc(out, func(a, b placedImage) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.field, b.field))
	})
	return out
}
