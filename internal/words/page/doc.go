// Package page is the vocabulary of long lists, which are read a part at a time.
//
// A list has an order by a key that its items keep, and a cursor is the key of the last item that was seen: what is
// added or deleted between two reads neither doubles an item nor hides one.
package page
