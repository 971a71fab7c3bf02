package store

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Conditions on what a text has in it. They hold of the same texts on both databases, which LIKE and lower() by themselves do not:
// LIKE knows no upper and lower case on SQLite, and lower() there none but of A to Z, as on PostgreSQL where the locale is C.

// Finds gives the condition, to be added, that a text has another in it, in upper or lower case alike: for what people search by words.
// The text is a column, or an expression of some. "" is in every text, and what is longer than 8 KiB in none. Of letters whose cases are
// no pair, such as İ and the ς at the end of words, it may miss some, and not the same on both databases.
func (w *Where) Finds(text, part string) string {
	const mostLetters, mostBytes = 64, 8 << 10
	part = strings.ToLower(plain(part))
	switch {
	case part == "":
		return "1 = 1"
	case len(part) > mostBytes:
		return "1 = 0"
	}
	var letters []rune // beyond A to Z, that have another case
	for _, r := range part {
		if r >= utf8.RuneSelf && len(letters) < mostLetters && unicode.ToUpper(r) != r && !slices.Contains(letters, r) {
			letters = append(letters, r)
		}
	}
	text = "lower(" + text + ")"
	for _, r := range letters {
		text = "replace(" + text + ", " + w.Arg(string(unicode.ToUpper(r))) + ", " + w.Arg(string(r)) + ")"
	}
	return text + " LIKE " + w.Arg("%"+strings.NewReplacer("^", "^^", "%", "^%", "_", "^_").Replace(part)+"%") + " ESCAPE '^'"
}

// Has gives the condition, to be added, that a text has another in it, as it is. "" is in every text.
func (w *Where) Has(text, part string) string {
	if part = plain(part); part == "" {
		return "1 = 1"
	}
	return Has(text, w.Arg(part))
}

// Has is Where.Has of two expressions; of a part that is empty it does not hold.
func Has(text, part string) string {
	return "(replace(" + text + ", " + part + ", '') <> " + text + ")"
}

// Begins gives the condition, to be added, that a text begins with another, as it is.
func (w *Where) Begins(text, part string) string {
	part = plain(part)
	return "substr(" + text + ", 1, " + length(part) + ") = " + w.Arg(part)
}

// Ends gives the condition, to be added, that a text ends with another, as it is.
func (w *Where) Ends(text, part string) string {
	if part = plain(part); part == "" {
		return "1 = 1"
	}
	n := length(part)
	return "(length(" + text + ") >= " + n + " AND substr(" + text + ", length(" + text + ") - " + n + " + 1) = " + w.Arg(part) + ")"
}

// length gives how many characters a text has, as databases count them.
func length(text string) string { return strconv.Itoa(utf8.RuneCountInString(text)) }

// plain takes out what databases keep in no text.
func plain(text string) string { return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "") }
