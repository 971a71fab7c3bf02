package document

import (
	"fmt"
	"net"
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
	keyPattern = regexp.MustCompile(`^[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?$`)
	// A label of the domain name system: a namespace, and each part of the prefix of a key.
	labelPattern = regexp.MustCompile(`^[a-z0-9]+(-+[a-z0-9]+)*$`)
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
	if m.Namespace != "" && !validLabel(m.Namespace) {
		add(fmt.Sprintf("%q is not a legal namespace", m.Namespace), "use lower-case letters and digits, joined by '-', at most 63 characters", "metadata", "namespace")
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
		switch {
		case link.URL == "":
			add("url is missing", "", "metadata", "links", strconv.Itoa(i))
		case unsafeURL(link.URL) || !validURL(link.URL):
			add("not an address that can be shown as a link", "write it whole, with https://", "metadata", "links", strconv.Itoa(i), "url")
		}
	}
	return wrong
}

// checkStrict holds the envelope to what Backstage asks beyond Check: nothing at the root but the four fields, and no
// field that is there and empty.
func (d Document) checkStrict() []fault.Detail {
	var wrong []fault.Detail
	add := func(message, hint string, path ...string) {
		if len(wrong) < maxDetails {
			wrong = append(wrong, d.At(message, hint, path...))
		}
	}
	for _, key := range sortedKeys(d.Rest) {
		switch key {
		case "metadata":
		case "spec":
			add("must be a mapping, not "+typeName(d.Rest[key]), "", key)
		case "relations", "status":
			add(key+" is Roadbed's to write", "leave it out", key)
		default:
			add(fmt.Sprintf("unknown field %q", key), "beside apiVersion, kind, metadata and spec there is nothing", key)
		}
	}
	const empty = "there is nothing in it"
	for _, key := range sortedKeys(d.Metadata.Rest) {
		switch key {
		case "name": // Check says so
		case "labels", "annotations":
			within, _ := d.Metadata.Rest[key].(map[string]any)
			for _, name := range sortedKeys(within) {
				add(empty, "leave it out, or fill it in", "metadata", key, name)
			}
			if within == nil {
				add(empty, "leave it out, or fill it in", "metadata", key)
			}
		case "namespace", "title", "tags", "links":
			add(empty, "leave it out, or fill it in", "metadata", key)
		case "description":
			if d.Metadata.Rest[key] == nil {
				add(empty, "leave it out, or fill it in", "metadata", key)
			}
		case "uid", "etag":
			if text, ok := d.Metadata.Rest[key].(string); !ok || text == "" {
				add("must be text", "leave it out: Roadbed writes it", "metadata", key)
			}
		}
	}
	for i, link := range d.Metadata.Links {
		for _, key := range []string{"title", "icon", "type"} {
			if _, isEmpty := link.Rest[key]; isEmpty {
				add(empty, "leave it out, or fill it in", "metadata", "links", strconv.Itoa(i), key)
			}
		}
		if blank(link.Title) || blank(link.Icon) {
			add(empty, "leave it out, or fill it in", "metadata", "links", strconv.Itoa(i))
		}
	}
	return wrong
}

func blank(text string) bool { return text != "" && strings.TrimSpace(text) == "" }

func validLabel(text string) bool { return len(text) <= 63 && labelPattern.MatchString(text) }

func validKey(key string) bool {
	prefix, name, found := strings.Cut(key, "/")
	if !found {
		name = key
	} else if len(prefix) > 253 {
		return false
	} else {
		for part := range strings.SplitSeq(prefix, ".") {
			if !validLabel(part) {
				return false
			}
		}
	}
	return len(name) <= 63 && keyPattern.MatchString(name)
}

// unsafeURL tells whether a browser that follows it could run a script of its author.
func unsafeURL(text string) bool {
	scheme, _, _ := strings.Cut(browsed(text), ":")
	switch strings.ToLower(scheme) {
	case "javascript", "vbscript", "data":
		return true
	}
	return false
}

// browsed gives an address as a browser reads it: what is below a space goes at both ends, and line breaks everywhere.
func browsed(text string) string {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	return lineBreaks.Replace(text)
}

var lineBreaks = strings.NewReplacer("\t", "", "\n", "", "\r", "")

var (
	schemePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)
	portPattern   = regexp.MustCompile(`:([0-9]*)$`)
)

// validURL tells whether a browser takes a text for a whole address.
func validURL(text string) bool {
	text = browsed(text)
	scheme := strings.ToLower(schemePattern.FindString(text))
	if scheme == "" {
		return false
	}
	rest := text[len(scheme):]
	switch scheme {
	case "http:", "https:", "ws:", "wss:", "ftp:":
		rest = strings.TrimLeft(rest, `/\`)
	case "file:":
		return true
	default:
		after, isHost := strings.CutPrefix(rest, "//")
		if !isHost {
			return true
		}
		if rest = after; rest == "" || strings.ContainsAny(rest[:1], "/?#") {
			return true
		}
	}
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if m := portPattern.FindStringSubmatch(rest); m != nil {
		if port, err := strconv.Atoi(m[1]); m[1] != "" && (err != nil || port > 65535) {
			return false
		}
		rest = rest[:len(rest)-len(m[0])]
	}
	if strings.HasPrefix(rest, "[") {
		return strings.HasSuffix(rest, "]") && net.ParseIP(rest[1:len(rest)-1]) != nil
	}
	host, err := url.PathUnescape(rest)
	return host != "" && err == nil && !strings.ContainsFunc(host, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`#%/:<>?@[\]^|`, r)
	})
}
