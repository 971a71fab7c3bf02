package leak

import (
	"bytes"
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Allow in a line, or in the one above it, says that what looks like a secret there is none.
const Allow = "roadbed:allow-secret"

const (
	lineBytes = 4 << 10 // of a line that is looked at for assignments; longer ones are made by programs
	perFile   = 20      // findings in one file

	valueLeast, valueMost = 24, 500 // characters of a value that is assigned
)

// Finding is one secret in a file; the secret itself is not kept.
type Finding struct {
	Rule string // what it is, such as "GitHub token"
	Line int    // from 1
}

// rule is one form of secrets. Where word is not in a file, the pattern is not tried. The secret is the pattern's first
// group, or all of it.
type rule struct {
	name, word string
	pattern    func() *regexp.Regexp // compiled when first wanted: most never are, and all of them take 20 ms
	entropy    float64               // bits a character that the secret has at least
}

// Finder looks for secrets. It is safe for concurrent use.
type Finder struct{ rules []rule }

// New gives a finder of all known forms.
func New() *Finder {
	f := &Finder{}
	add := func(name, word, pattern string, entropy float64) {
		f.rules = append(f.rules, rule{name, word, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) }), entropy})
	}
	add("private key", "PRIVATE KEY", `-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY(?: BLOCK)?-----((?:\s|\\n|\\r|[A-Za-z0-9+/=]){64,200})`, 3)
	add("age key", "AGE-SECRET-KEY-1", `AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}`, 3)
	for _, word := range []string{"AKIA", "ASIA"} {
		add("AWS access key", word, `\b(`+word+`[A-Z2-7]{16})\b`, 3)
	}
	for _, word := range []string{"aws", "AWS"} {
		add("AWS secret key", word, `(?i)aws_?-?(?:secret)?_?-?(?:access)?_?-?key["']?\s{0,5}(?::|=>|=)\s{0,5}["']?([A-Za-z0-9/+]{40})(?:["'\s]|$)`, 4)
	}
	add("Google API key", "AIza", `\b(AIza[0-9A-Za-z_-]{35})\b`, 3.5)
	add("Google OAuth token", "ya29.", `\bya29\.[0-9A-Za-z_-]{40,500}`, 3.5)
	for _, word := range []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"} {
		add("GitHub token", word, `\b`+word+`([A-Za-z0-9]{36,255})\b`, 3.5)
	}
	add("GitHub token", "github_pat_", `\bgithub_pat_([A-Za-z0-9_]{60,255})\b`, 3.5)
	for _, word := range []string{"glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-"} {
		add("GitLab token", word, `\b`+word+`([A-Za-z0-9_=.-]{20,300})`, 3)
	}
	for _, word := range []string{"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"} {
		add("Slack token", word, `\b`+word+`([0-9A-Za-z-]{20,250})`, 3)
	}
	add("Slack webhook", "hooks.slack.com", `hooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/([A-Za-z0-9]{20,30})`, 3)
	add("npm token", "npm_", `\bnpm_([A-Za-z0-9]{36})\b`, 3.5)
	for _, word := range []string{"sk_live_", "rk_live_"} {
		add("Stripe key", word, `\b`+word+`([0-9a-zA-Z]{24,200})\b`, 3)
	}
	for _, word := range []string{"rbt_", "rbw_", "rbs_", "rbl_", "rba_"} {
		add("Roadbed token", word, `\b`+word+`([0-9A-Za-z]{43})\b`, 3.5)
	}
	for _, word := range []string{"Bearer", "bearer"} {
		add("JSON web token", word, `(?i)bearer\s{1,5}(eyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{20,800})`, 4)
	}
	return f
}

// Find gives the secrets in a file, in the order of their lines, at most 20. Binary files have none.
func (f *Finder) Find(content []byte) []Finding {
	if bytes.IndexByte(content[:min(len(content), 8000)], 0) >= 0 {
		return nil
	}
	var found []Finding
	seen := map[int]bool{}
	note := func(name string, at int, secret []byte) {
		line := bytes.Count(content[:at], []byte{'\n'}) + 1
		if len(found) == perFile || seen[line] || example(secret) || allowed(content, at) {
			return
		}
		seen[line] = true
		found = append(found, Finding{name, line})
	}
	for _, r := range f.rules {
		if !bytes.Contains(content, []byte(r.word)) {
			continue
		}
		for _, at := range r.pattern().FindAllSubmatchIndex(content, perFile) {
			secret := content[at[0]:at[1]]
			if len(at) > 2 && at[2] >= 0 {
				secret = content[at[2]:at[3]]
			}
			if entropy(secret) >= r.entropy {
				note(r.name, at[0], secret)
			}
		}
	}
	assignments(content, note)
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return found
}

// assignments finds values in quotes that a name calls secret and that look as if nobody had thought them out. It looks for
// the names and reads on from them, since a pattern with any beginning is slow.
func assignments(content []byte, note func(name string, at int, secret []byte)) {
	lower := lowered(content)
	for _, word := range []string{"secret", "passwd", "password", "token", "key", "credential"} {
		for at := 0; ; {
			i := bytes.Index(lower[at:], []byte(word))
			if i < 0 {
				break
			}
			begin := at + i
			at = begin + len(word)
			if word == "key" && !secretKey(lower[max(0, begin-12):begin]) {
				continue
			}
			if from, to := assigned(content, at); to > from && random(content[from:to]) && !generated(content, begin) {
				note("secret value", from, content[from:to])
			}
		}
	}
}

// lowered gives content with the letters of ASCII in lower case, each in its place.
func lowered(content []byte) []byte {
	lower := make([]byte, len(content))
	for i, c := range content {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return lower
}

// secretKey tells whether what stands before the word key makes it one that is secret.
func secretKey(before []byte) bool {
	before = bytes.TrimRight(before, "_-")
	for _, kind := range []string{"api", "access", "private", "secret", "signing", "encryption", "master"} {
		if bytes.HasSuffix(before, []byte(kind)) {
			return true
		}
	}
	return false
}

// assigned gives the value in quotes that is assigned to the name which goes on at a place: rest of the name, perhaps a
// quote, one of = : := =>, and the value. Without one, to is not after from.
func assigned(content []byte, at int) (from, to int) {
	skip := func(most int, set string) {
		for n := 0; n < most && at < len(content) && strings.IndexByte(set, content[at]) >= 0; n++ {
			at++
		}
	}
	skip(20, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
	skip(1, "\"'`")
	skip(10, " \t")
	operator := at
	skip(2, "=:>")
	if at == operator {
		return 0, 0
	}
	skip(10, " \t")
	if at >= len(content) || strings.IndexByte("\"'`", content[at]) < 0 {
		return 0, 0
	}
	quote := content[at]
	from = at + 1
	for to = from; to < len(content) && to-from <= valueMost; to++ {
		if c := content[to]; c == quote {
			break
		} else if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_.~-", c) < 0 {
			return 0, 0
		}
	}
	if to-from < valueLeast || to-from > valueMost || to == len(content) {
		return 0, 0
	}
	return from, to
}

// generated tells whether a place is in a line so long that a program made it.
func generated(content []byte, at int) bool {
	before, after := content[max(0, at-lineBytes):at], content[at:min(len(content), at+lineBytes)]
	begin, end := bytes.LastIndexByte(before, '\n'), bytes.IndexByte(after, '\n')
	if begin < 0 && len(before) == lineBytes || end < 0 && len(after) == lineBytes {
		return true
	}
	if end < 0 {
		end = len(after)
	}
	return len(before)-begin+end > lineBytes
}

// random tells whether a value has digits and letters of both cases, mixed as chance mixes them; or is a long number in
// hex, or a JSON web token.
func random(value []byte) bool {
	var digits, lower, upper, other, changes int
	class := byte(0)
	for _, c := range value {
		now := byte(0)
		switch {
		case c >= '0' && c <= '9':
			digits++
			now = 1
		case c >= 'a' && c <= 'z':
			lower++
			now = 2
		case c >= 'A' && c <= 'Z':
			upper++
			now = 3
		default:
			other++
		}
		if now != class {
			changes++
		}
		class = now
	}
	if bytes.HasPrefix(value, []byte("eyJ")) && bytes.Count(value, []byte(".")) == 2 {
		return entropy(value) >= 4
	}
	// Paths, host names and words joined by dashes have many of the other characters, and change class seldom.
	return digits >= 3 && lower >= 3 && upper >= 3 && other*6 <= len(value) && changes*3 >= len(value) && entropy(value) >= 4
}

// entropy gives the bits that a character of the text has, by how often each occurs.
func entropy(text []byte) float64 {
	var counts [256]int
	for _, c := range text {
		counts[c]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(text))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// example tells whether a text says of itself that it is no secret.
func example(secret []byte) bool {
	lower := strings.ToLower(string(secret))
	for _, word := range []string{"example", "xxxx", "1234567890", "abcdefgh", "redacted", "placeholder", "changeme", "dummy", "notasecret", "fake"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// allowed tells whether the line at a place, or the one above, says that there is no secret.
func allowed(content []byte, at int) bool {
	start := bytes.LastIndexByte(content[:at], '\n') + 1
	if start > 0 {
		start = bytes.LastIndexByte(content[:start-1], '\n') + 1
	}
	end := bytes.IndexByte(content[at:], '\n')
	if end < 0 {
		end = len(content) - at
	}
	return bytes.Contains(content[start:at+end], []byte(Allow))
}
