package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// longest is how many bytes of a word count.
const longest = 40

// eachWord gives the words of a text, folded, and where they stand. A word with capitals inside (OrderService) is given
// whole, and, with parts, each part but the first, which is its beginning. Of scripts without spaces each character is a word.
func eachWord(text string, parts bool, fn func(from, to int, word string)) {
	start := -1
	var last rune
	var inner []int // where parts begin
	end := func(to int) {
		if start < 0 {
			return
		}
		if word := fold(text[start:to]); word != "" {
			fn(start, to, word)
		}
		for i, from := range inner {
			until := to
			if i+1 < len(inner) {
				until = inner[i+1]
			}
			if word := fold(text[from:until]); word != "" {
				fn(from, until, word)
			}
		}
		start, inner = -1, inner[:0]
	}
	for i, r := range text {
		switch {
		case alone(r):
			end(i)
			if word := fold(text[i : i+utf8.RuneLen(r)]); word != "" {
				fn(i, i+utf8.RuneLen(r), word)
			}
		case unicode.IsLetter(r) || unicode.IsDigit(r) || start >= 0 && unicode.IsMark(r):
			if start < 0 {
				start = i
			} else if parts && unicode.IsUpper(r) && (!unicode.IsUpper(last) || beforeSmall(text[i:])) {
				inner = append(inner, i)
			}
			last = r
		default:
			end(i)
		}
	}
	end(len(text))
}

// alone tells whether a character is a word of its own.
func alone(r rune) bool {
	return r > 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// beforeSmall tells whether the first letter of a text is followed by a small one: the S of HTTPServer.
func beforeSmall(text string) bool {
	_, size := utf8.DecodeRuneInString(text)
	next, _ := utf8.DecodeRuneInString(text[size:])
	return unicode.IsLower(next)
}

// fold gives a word as it is compared: in small letters, without accents, and not longer than counts.
func fold(word string) string {
	plain := true
	for i := range len(word) {
		if c := word[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			plain = false
			break
		}
	}
	if !plain {
		word = foldRunes(word)
	}
	if len(word) > longest {
		word = word[:longest]
		for !utf8.ValidString(word) {
			word = word[:len(word)-1]
		}
	}
	return word
}

func foldRunes(word string) string {
	ascii := true
	for i := range len(word) {
		ascii = ascii && word[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(word)
	}
	const most = 4 * longest // what is beyond does not count
	if len(word) > most {
		word = strings.ToValidUTF8(word[:most], "")
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(word) {
		if !unicode.IsMark(r) && r != utf8.RuneError {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// joined gives all words of a text as one, so that a name is found without the signs between its words.
func joined(text string) string {
	var b strings.Builder
	eachWord(text, false, func(_, _ int, word string) {
		if b.Len() < longest {
			b.WriteString(word)
		}
	})
	return fold(b.String())
}
