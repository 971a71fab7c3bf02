package outbound

import (
	"net/netip"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestWhatAddressesAre(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"8.8.8.8": "", "140.82.121.4": "", "172.15.255.255": "", "172.32.0.0": "", "100.63.255.255": "", "100.128.0.0": "", "2606:50c0:8000::154": "",
		"127.0.0.1": loopback, "127.255.255.254": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback, "::ffff:7f00:1": loopback,
		"64:ff9b::7f00:1": loopback, "2002:7f00:1::": loopback, "::127.0.0.1": reserved, "0.0.0.0": unspecified, "0.1.2.3": unspecified, "::": unspecified,
		"10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private, "100.64.0.1": private, "100.127.255.255": private,
		"::ffff:10.0.0.1": private, "64:ff9b::a00:1": private, "2002:a00:1::1": private, "fc00::1": private, "fd12:3456::1": private,
		"169.254.1.1": linkLocal, "fe80::1": linkLocal, "fe80::1%eth0": linkLocal, "febf::1": linkLocal, "fec0::1": linkLocal,
		"169.254.169.254": metadata, "::ffff:169.254.169.254": metadata, "64:ff9b::a9fe:a9fe": metadata, "169.254.170.2": metadata, "fd00:ec2::254": metadata,
		"100.100.100.200": metadata, "168.63.129.16": metadata,
		"224.0.0.1": multicast, "239.1.1.1": multicast, "ff02::1": multicast,
		"255.255.255.255": reserved, "240.0.0.1": reserved, "192.0.2.1": reserved, "198.18.0.1": reserved, "203.0.113.9": reserved,
		"2001:db8::1": reserved, "2001::1": reserved, "64:ff9b:1::1": reserved, "100::1": reserved, "4000::1": reserved,
	} {
		if got := whatIs(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
	}
}

func TestWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, host, address string
		want                 bool
	}{
		{"", "git.example.com", "10.1.2.3", false},
		{"10.0.0.0/8", "git.example.com", "10.1.2.3", true},
		{"10.9.9.9/8", "git.example.com", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "git.example.com", "192.168.1.2", false},
		{"10.0.0.0/8", "git.example.com", "127.0.0.1", false},
		{"0.0.0.0/0", "git.example.com", "169.254.169.254", false},
		{"100.64.0.0/10", "git.example.com", "100.100.100.200", false},
		{"169.254.169.254", "git.example.com", "169.254.169.254", true},
		{"127.0.0.0/8, ::1", "localhost", "127.0.0.1", true},
		{"127.0.0.0/8, ::1", "localhost", "::1", true},
		{"git.example.internal", "git.example.internal", "10.1.2.3", true},
		{"git.example.internal", "GIT.example.internal.", "fd12::1", true},
		{"git.example.internal", "other.example.internal", "10.1.2.3", false},
		{"git.example.internal", "git.example.internal", "127.0.0.1", false},
		{"git.example.internal", "git.example.internal", "169.254.169.254", false},
		{"git.example.internal", "git.example.internal", "fe80::1", false},
	} {
		a, err := readAllowed(c.allow)
		if err != nil {
			t.Fatal(err)
		}
		address := netip.MustParseAddr(c.address)
		if got := a.have(c.host, address, whatIs(address)); got != c.want {
			t.Errorf("with %q, %s at %s is allowed: %v", c.allow, c.host, c.address, got)
		}
	}
	for _, wrong := range []string{"localhost", "10.0.0.0/33", "10.0.0.300", "0x7f.1", "a b..c", "https://git.example.com", "fe80::1%eth0", "*.example.com"} {
		if _, err := readAllowed(wrong); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
