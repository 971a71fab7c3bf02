package document

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

var (
	// Backstage's format of tags.
	tagPattern = regexp.MustCompile(`^[a-z0-9:+#]+(-[a-z0-9:+#]+)*$`)
	// The name part of a label's or annotation's key, as Kubernetes and Backstage have it.
	keyPattern    = regexp.MustCompile(`^[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?$`)
	prefixPattern = regexp.MustCompile(`^[a-z0-9A-Z]([-.a-zA-Z0-9]*[a-z0-9A-Z])?$`)
)

// Check holds the envelope to the catalog's rules: a name, and legal names, labels, tags and links. What is
// wrong comes back with its line; nil means that it is right.
func (d Document) Check() []fault.Detail {
	var wrong []fault.Detail
	add := func(message, hint string, path ...string) {
		if len(wrong) < maxDetails { // to find a place costs more than to see that it is wrong
			wrong = append(wrong, d.At(message, hint, path...))
		}
	}

	const names = "use letters and digits, joined by '-', '_' or '.', at most 63 characters"
	m := d.Metadata
	switch {
	case m.Name == "":
		add("metadata.name is missing", "give it a name", "metadata")
	case !ref.ValidName(m.Name):
		add(fmt.Sprintf("%q is not a legal name", m.Name), names, "metadata", "name")
	}
	if m.Namespace != "" && !ref.ValidName(m.Namespace) {
		add(fmt.Sprintf("%q is not a legal namespace", m.Namespace), names, "metadata", "namespace")
	}
	if _, err := ref.Parse(d.Kind+":default/x", "", ""); err != nil {
		add(fmt.Sprintf("%q is not a legal kind", d.Kind), "use letters and digits", "kind")
	}
	for _, key := range sortedKeys(m.Labels) {
		if !validKey(key) {
			add("not a legal label key", "write name or prefix/name", "metadata", "labels", key)
		}
		if value := m.Labels[key]; value != "" && (len(value) > 63 || !keyPattern.MatchString(value)) {
			add(fmt.Sprintf("%q is not a legal label value", value), names+"; longer text belongs in annotations", "metadata", "labels", key)
		}
	}
	for _, key := range sortedKeys(m.Annotations) {
		if !validKey(key) {
			add("not a legal annotation key", "write name or prefix/name", "metadata", "annotations", key)
		}
		if strings.HasSuffix(key, "-url") && unsafeURL(m.Annotations[key]) {
			add("an address with a script scheme is refused", "use https", "metadata", "annotations", key)
		}
	}
	for i, tag := range m.Tags {
		if len(tag) > 63 || !tagPattern.MatchString(tag) {
			add(fmt.Sprintf("%q is not a legal tag", tag), "use lower case letters, digits, ':', '+', '#', joined by '-', at most 63 characters", "metadata", "tags", strconv.Itoa(i))
		}
	}
	for i, link := range m.Links {
		if link.URL == "" {
			add("url is missing", "", "metadata", "links", strconv.Itoa(i))
		} else if unsafeURL(link.URL) {
			add("not an address that can be shown as a link", "use https", "metadata", "links", strconv.Itoa(i), "url")
		}
	}
	return wrong
}

func validKey(key string) bool {
	prefix, name, found := strings.Cut(key, "/")
	if !found {
		name = key
	} else if len(prefix) > 253 || !prefixPattern.MatchString(prefix) {
		return false
	}
	return len(name) <= 63 && keyPattern.MatchString(name)
}

// unsafeURL tells whether a browser that follows it could run a script of its author.
func unsafeURL(text string) bool {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return true
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "vbscript", "data":
		return true
	}
	return false
}
