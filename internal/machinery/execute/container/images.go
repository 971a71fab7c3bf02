package container

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// allowed are the images that steps may run in.
type allowed struct {
	image    string // of steps that ask for none, in full
	patterns []pattern
}

// pattern matches the full name of an image, such as docker.io/library/golang:1.26: * stands for a part between slashes, ** for
// any text. A pattern without tag or digest takes all of them.
type pattern struct {
	text   string
	match  *regexp.Regexp
	tagged bool
}

// Allowing gives what tells whether steps may run in an image, for whoever has no engine and answers for others that have
// one. The usual image may be "".
func Allowing(image string, list []string) (func(image string) error, error) {
	a, err := allow(image, list)
	if err != nil {
		return nil, err
	}
	return func(image string) error {
		_, err := a.take(image)
		return err
	}, nil
}

func allow(image string, list []string) (*allowed, error) {
	a := &allowed{}
	if image != "" {
		var err error
		if a.image, err = fullName(image); err != nil {
			return nil, fault.Wrap(err, "the image of steps that ask for none")
		}
	}
	for _, text := range list {
		p, err := patternOf(text)
		if err != nil {
			return nil, err
		}
		a.patterns = append(a.patterns, p)
	}
	return a, nil
}

func patternOf(text string) (pattern, error) {
	if text == "" || len(text) > 500 || strings.ContainsAny(text, " \t\r\n") {
		return pattern{}, fault.Errorf(fault.Invalid, "%q is no pattern of images; write one such as registry.example.com/ci/*", text)
	}
	p := pattern{text: text}
	full := text
	if !strings.Contains(text, "*") { // a name is short for one with a registry, as everywhere
		named, err := reference.ParseNormalizedNamed(text)
		if err != nil {
			return p, fault.Errorf(fault.Invalid, "%q is not the name of an image: %w", text, err)
		}
		full = named.String()
	}
	last := full[strings.LastIndex(full, "/")+1:]
	p.tagged = strings.ContainsAny(last, ":@")
	parts := strings.Split(regexp.QuoteMeta(full), `\*\*`)
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], `\*`, `[^/]*`)
	}
	p.match = regexp.MustCompile("^" + strings.Join(parts, ".*") + "$") // of quoted text
	return p, nil
}

// take gives the full name of an image that a step asks for; "" is the usual one. Denied for one that is not allowed.
func (a *allowed) take(image string) (string, error) {
	if image == "" {
		return a.image, nil
	}
	full, err := fullName(image)
	if err != nil {
		return "", err
	}
	named, _ := reference.ParseNormalizedNamed(full) // fullName has
	if full == a.image || slices.ContainsFunc(a.patterns, func(p pattern) bool {
		return p.match.MatchString(full) || !p.tagged && p.match.MatchString(named.Name())
	}) {
		return full, nil
	}
	return "", fault.Errorf(fault.Denied, "the image %s is not among those that steps may run in here (%s); choose one of them, or have the administrator add it to --container-allow", full, a)
}

func (a *allowed) String() string {
	var list []string
	if a.image != "" {
		list = append(list, a.image)
	}
	for _, p := range a.patterns {
		list = append(list, p.text)
	}
	if len(list) == 0 {
		return "none"
	}
	if len(list) > 10 {
		list = append(list[:10], fmt.Sprintf("and %d more", len(list)-10))
	}
	return strings.Join(list, ", ")
}

// fullName gives a reference with its registry and its tag or digest.
func fullName(image string) (string, error) {
	if len(image) > 500 {
		return "", fault.Errorf(fault.Invalid, "the reference of an image has %d characters; 500 are the most", len(image))
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "%q is not the reference of an image: %w", image, err)
	}
	return reference.TagNameOnly(named).String(), nil
}
