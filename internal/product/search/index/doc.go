// Package index finds things by words, from memory: words that begin with what is asked, or differ from it by a typo.
//
// It knows no texts, only which terms occur in which fields of which thing. It is made of segments that never change: each
// has its keys and its terms in order, with common beginnings left out, and the postings of a term as differences, all in a
// few long runs of bytes, so that the garbage collector has nothing to follow. What is put makes a new segment and is
// struck out in older ones; segments of about the same size are merged, so that there are few. Who asks reads a snapshot and
// waits for nobody.
//
// A word of a query matches a term that is it, begins with it, or, where little is found that way, is within a few edits of
// it (insertion, deletion, substitution, transposition; one from four letters, two from eight, none with digits). All words
// must match. A thing's score is the sum over the words of the best field that has it, by how it matches; it is more for one
// that is called as the whole query, or so that it begins with that, and a little more by its weight. Equal ones are ordered
// by key, so that pages neither double nor hide what stays.
package index
