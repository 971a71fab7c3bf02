package backstage

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// members calls f with each member of a JSON object, until f returns false. The text is one that this server has written:
// valid, and without white space. Of anything but an object there are no members.
func members(object []byte, f func(key, value []byte) bool) {
	if len(object) < 2 || object[0] != '{' {
		return
	}
	for i := 1; i < len(object) && object[i] != '}'; {
		end := after(object, i)
		key := object[i+1 : end-1]
		i = end + 1
		end = after(object, i)
		if !f(key, object[i:end]) {
			return
		}
		i = end
		if i < len(object) && object[i] == ',' {
			i++
		}
	}
}

// items is members for an array.
func items(array []byte, f func(value []byte) bool) {
	if len(array) < 2 || array[0] != '[' {
		return
	}
	for i := 1; i < len(array) && array[i] != ']'; {
		end := after(array, i)
		if !f(array[i:end]) {
			return
		}
		i = end
		if i < len(array) && array[i] == ',' {
			i++
		}
	}
}

// after gives the index behind the value that begins at i.
func after(text []byte, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(text))
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
			if depth < 0 { // the end of what a bare value is in
				return i
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// member gives the value of a key; nil when there is none.
func member(object []byte, key string) (found []byte) {
	members(object, func(k, v []byte) bool {
		if sameText(k, key) {
			found = v
		}
		return found == nil
	})
	return found
}

// element gives an item of an array by its number; nil when there is none.
func element(array []byte, index string) (found []byte) {
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || strconv.Itoa(n) != index {
		return nil
	}
	items(array, func(v []byte) bool {
		if n == 0 {
			found = v
		}
		n--
		return found == nil
	})
	return found
}

// sameText tells whether the inside of a JSON string is a text.
func sameText(inside []byte, text string) bool {
	if string(inside) == text {
		return true
	}
	for _, c := range inside {
		if c == '\\' {
			return unquote(inside) == text
		}
	}
	return false
}

// unquote gives the text of the inside of a JSON string.
func unquote(inside []byte) string {
	for _, c := range inside {
		if c == '\\' {
			var text string
			quoted := append(append([]byte{'"'}, inside...), '"')
			if json.Unmarshal(quoted, &text) != nil {
				return string(inside)
			}
			return text
		}
	}
	return string(inside)
}

// appendText appends a JSON string.
func appendText(to []byte, text string) []byte {
	to = append(to, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			to = append(to, text[from:i]...)
			switch c {
			case '"', '\\':
				to = append(to, '\\', c)
			case '\n':
				to = append(to, '\\', 'n')
			default:
				const hex = "0123456789abcdef"
				to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			to = append(append(to, text[from:i]...), "\ufffd"...)
			i++
			from = i
			continue
		}
		i += size
	}
	return append(append(to, text[from:]...), '"')
}
