package ref

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"regexp"
	"time"
)

// Prefixes of ids: what an id names is told by its first letters.
const (
	Run       = "run"
	Step      = "stp"
	Review    = "rev"
	Entry     = "led"
	Principal = "pri"
	Token     = "tok"
	Session   = "ses"
	Decision  = "dec"
	Delivery  = "dlv"
	State     = "sta"
	Lease     = "lea"
	PoolToken = "ptk"
)

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID gives prefix_ and 26 characters (the layout of a ULID, in lower case): 48 bits of milliseconds, 10 of the
// microseconds in them, then 70 random bits, so that ids sort by the time at which they were made. Ids are not secrets.
func NewID(prefix string, now time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now.UnixMilli())<<16)
	rand.Read(raw[6:]) // crypto/rand.Read never fails
	micros := uint16(now.UnixMicro()%1000) << 6
	raw[6], raw[7] = byte(micros>>8), byte(micros)|raw[7]&0x3f
	return prefix + "_" + encoding.EncodeToString(raw[:])
}

var idPattern = regexp.MustCompile(`^([a-z]{3,4})_[0-9a-hjkmnp-tv-z]{26}$`)

// IsID tells whether s is an id with that prefix.
func IsID(s, prefix string) bool {
	m := idPattern.FindStringSubmatch(s)
	return m != nil && m[1] == prefix
}
