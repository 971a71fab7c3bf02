package outbound

import (
	"net/netip"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Network reads a network (10.0.0.0/8), or an address as the network that has it alone.
func Network(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err == nil {
		return prefix, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Prefix{}, fault.Errorf(fault.Invalid, "%.100q is neither an address nor a network, such as 10.0.0.0/8", text)
	}
	address = address.Unmap()
	return netip.PrefixFrom(address, address.BitLen()), nil
}

// special are networks that are not the public internet, with what they are. The first that has an address tells.
var special = networks(
	// Metadata services give a machine's own credentials to whoever asks from it. Some are at addresses that look public.
	"169.254.169.254", metadata, "169.254.170.0/24", metadata, "fd00:ec2::/32", metadata, "100.100.100.200", metadata,
	"168.63.129.16", metadata, "192.0.0.192", metadata, "fd20:ce::254", metadata,
	"0.0.0.0/8", unspecified, "127.0.0.0/8", loopback, "169.254.0.0/16", linkLocal, "224.0.0.0/4", multicast,
	"10.0.0.0/8", private, "172.16.0.0/12", private, "192.168.0.0/16", private, "100.64.0.0/10", private,
	"192.0.0.0/24", reserved, "192.0.2.0/24", reserved, "192.88.99.0/24", reserved,
	"198.18.0.0/15", reserved, "198.51.100.0/24", reserved, "203.0.113.0/24", reserved, "240.0.0.0/4", reserved,
	"::/128", unspecified, "::1/128", loopback, "fe80::/10", linkLocal, "fec0::/10", linkLocal, "ff00::/8", multicast, "fc00::/7", private,
	"2001::/23", reserved, "2001:db8::/32", reserved, "3fff::/20", reserved,
)

// What addresses that are not public are.
const (
	metadata    = "metadata"
	unspecified = "unspecified"
	loopback    = "loopback"
	linkLocal   = "link-local"
	multicast   = "multicast"
	private     = "private"
	reserved    = "reserved"
)

type network struct {
	netip.Prefix
	what string
}

func networks(pairs ...string) []network {
	all := make([]network, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		prefix, err := Network(pairs[i])
		if err != nil {
			panic(err) // they are written above
		}
		all = append(all, network{prefix, pairs[i+1]})
	}
	return all
}

var (
	publicIPv6 = netip.MustParsePrefix("2000::/3")
	translated = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

// within gives the IPv4 address that an IPv6 address leads to, or the address itself.
func within(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	b := a.As16()
	switch {
	case translated.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

// whatIs tells what an address is; "" for a public one.
func whatIs(a netip.Addr) string {
	a = within(a)
	for _, n := range special {
		if n.Contains(a) {
			return n.what
		}
	}
	if a.Is6() && !publicIPv6.Contains(a) {
		return reserved
	}
	return ""
}

// allowed is what may be reached although it is not public.
type allowed struct {
	networks []netip.Prefix
	names    map[string]bool
}

func readAllowed(text string) (allowed, error) {
	a := allowed{names: map[string]bool{}}
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := Network(one)
		name := hostName(one)
		switch {
		case err == nil:
			a.networks = append(a.networks, prefix.Masked())
		case name == "localhost" || !isName(name):
			return a, fault.Errorf(fault.Invalid, "%.100q is neither an address, a network, such as 10.0.0.0/8, nor the name of a host; loopback is 127.0.0.0/8 and ::1", one)
		default:
			a.names[name] = true
		}
	}
	return a, nil
}

// have tells whether an address that is what it is may be reached as host. A name opens private addresses alone: that a
// name leads to a machine's own services is nobody's wish. A metadata service is to be named by its very address.
func (a allowed) have(host string, address netip.Addr, what string) bool {
	address = within(address)
	for _, n := range a.networks {
		if n.Contains(address) && (what != metadata || n.IsSingleIP()) {
			return true
		}
	}
	return what == private && a.names[hostName(host)]
}

// hostName gives a name as names are compared.
func hostName(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

func isName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(last, "0123456789") != "" // else it may be an address in another form
}
