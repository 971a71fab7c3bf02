package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// span is a length of time as people say it: 30m, 12h, 7d, 2w.
type span time.Duration

func (s *span) Type() string { return "time" }

func (s *span) String() string {
	d := time.Duration(*s)
	switch {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0 && d > 48*time.Hour:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	text := d.String()
	for _, empty := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, empty) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func (s *span) Set(text string) error {
	unit := time.Duration(0)
	switch {
	case strings.HasSuffix(text, "d"):
		unit = 24 * time.Hour
	case strings.HasSuffix(text, "w"):
		unit = 7 * 24 * time.Hour
	}
	if unit == 0 {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return errSpan
		}
		*s = span(d)
		return nil
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil || n <= 0 || n > 100_000 {
		return errSpan
	}
	*s = span(time.Duration(n) * unit)
	return nil
}

var errSpan = errors.New("it is a time such as 30m, 12h, 7d or 2w")
