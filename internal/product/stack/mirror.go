package stack

import (
	"regexp"
	"slices"
	"strings"
)

// Providers tells from where the engines of runs take their providers.
type Providers interface {
	// Mirrors tells whether they take them from the platform's mirror, whether from nowhere else, and which hosts'
	// providers it has.
	Mirrors() (on, only bool, hosts []string)
	// Hash gives the hash of the unpacked provider that pools may show to engines; "" for none.
	Hash(provider, version string) string
}

// Mirror is from where the engine of a run takes providers.
type Mirror struct {
	Only     bool     `json:"only,omitempty"`     // and from nowhere else
	Hosts    []string `json:"hosts,omitempty"`    // whose providers it has, and nobody else is asked for; else all
	Unshared []string `json:"unshared,omitempty"` // providers that the pool may not show unpacked: see mirrored
}

// scopeMirror lets a step read the mirror; product/mirror asks for it.
const scopeMirror = "mirror:read"

// locked is one provider of a lock file, up to the end of its block.
var locked = regexp.MustCompile(`(?ms)^provider[ \t]+"([^"\s]{1,300})"[ \t]*\{(.*?)^\}`)

var (
	lockedVersion = regexp.MustCompile(`(?m)^[ \t]*version[ \t]*=[ \t]*"([^"\s]{1,100})"`)
	lockedHash    = regexp.MustCompile(`"(h1:[A-Za-z0-9+/=]{44})"`)
)

// mirrored gives from where a run takes providers. An engine compares an unpacked provider with the h1 hashes of the lock
// file alone, and a lock file that was written on another system has that of another package: such a provider is taken
// as an archive, of which the engine knows the other hashes. Where the lock file is not known, all are.
func (s *Service) mirrored(lock []byte, known bool) *Mirror {
	if s.Providers == nil {
		return nil
	}
	on, only, hosts := s.Providers.Mirrors()
	if !on {
		return nil
	}
	m := &Mirror{Only: only, Hosts: hosts}
	if !known {
		m.Unshared = []string{"*/*/*"}
		return m
	}
	for _, block := range locked.FindAllSubmatch(lock, 200) {
		provider, version := string(block[1]), lockedVersion.FindSubmatch(block[2])
		if version == nil {
			continue
		}
		hash := s.Providers.Hash(provider, string(version[1]))
		right := slices.ContainsFunc(lockedHash.FindAllSubmatch(block[2], 200), func(h [][]byte) bool { return string(h[1]) == hash })
		if !right && plainProvider.MatchString(provider) {
			m.Unshared = append(m.Unshared, provider)
		}
	}
	return m
}

// plainProvider is a provider whose name means nothing in a configuration's text.
var plainProvider = regexp.MustCompile(`^[a-z0-9.:-]+/[a-z0-9_-]+/[a-z0-9_-]+$`)

// list writes texts as an engine's configuration has them.
func list(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return `"` + strings.Join(texts, `", "`) + `"`
}

// environment gives what the script mirroring needs to know.
func (m *Mirror) environment(env map[string]string) {
	include := make([]string, len(m.Hosts))
	for i, h := range m.Hosts {
		include[i] = h + "/*/*"
	}
	env["ROADBED_MIRROR"] = "yes"
	env["TF_REGISTRY_CLIENT_TIMEOUT"] = "60" // seconds: the server may have to ask a registry first, and says it when that does not answer
	env["ROADBED_MIRRORED"], env["ROADBED_UNSHARED"], env["ROADBED_DIRECT"] = list(include), list(m.Unshared), ""
	if !m.Only {
		env["ROADBED_DIRECT"] = list(include)
	}
}

// mirroring writes the engine's configuration where there is a mirror: its address has the port of the door, and engines
// speak nothing but HTTPS with a mirror. A pool that can show unpacked providers has them in a folder; what is there is linked
// to and not copied.
const mirroring = `
if [ -n "${ROADBED_MIRROR:-}" ]; then
  if [ -z "${ROADBED_AUTHORITY:-}" ] || [ -z "${ROADBED_URL:-}" ]; then
    echo "no mirror: this pool has no way to the platform's providers, which its operator wants runs to use" >&2
    exit 95
  fi
  export SSL_CERT_DIR="$ROADBED_AUTHORITY:${SSL_CERT_DIR:-/etc/ssl/certs}"
  {
    printf 'disable_checkpoint = true\ncredentials "%s" {\n  token = "%s"\n}\nprovider_installation {\n' "${ROADBED_URL#http://}" "$ROADBED_TOKEN"
    if [ -n "${ROADBED_SHARED:-}" ]; then
      printf '  filesystem_mirror {\n    path = "%s"\n    exclude = [%s]\n  }\n' "$ROADBED_SHARED" "$ROADBED_UNSHARED"
    fi
    printf '  network_mirror {\n    url = "https://%s/v1/providers-mirror/"\n' "${ROADBED_URL#http://}"
    if [ -n "$ROADBED_DIRECT" ]; then
      printf '    include = [%s]\n  }\n  direct {\n    exclude = [%s]\n  }\n}\n' "$ROADBED_MIRRORED" "$ROADBED_DIRECT"
    elif [ -n "${ROADBED_REGISTRY:-}" ]; then # what this server's registry has is no mirror's
      printf '    exclude = ["%s/*/*"]\n  }\n  direct {\n    include = ["%s/*/*"]\n  }\n}\n' "$ROADBED_REGISTRY" "$ROADBED_REGISTRY"
    else
      printf '  }\n}\n'
    fi
  } > "$ROADBED_WORK/engine.rc"
fi
`
