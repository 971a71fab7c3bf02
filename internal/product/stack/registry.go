package stack

// EngineBegin is the beginning of a script that uses an engine, for rooms that run one beside stacks: it leaves the program in
// ROADBED_ENGINE, and has it reach the registry of this server.
func EngineBegin() string { return begin }

// EngineConfig is the engine's own file, which stands at TF_CLI_CONFIG_FILE when a script begins.
func EngineConfig() string { return engineConfig }

// EngineMirror has such a script take providers as stacks do, and gives what its token needs for it.
func (s *Service) EngineMirror(env map[string]string) (scopes []string) {
	m := s.mirrored(nil, false)
	if m == nil {
		return nil
	}
	m.environment(env)
	return []string{scopeMirror}
}

// registryScopes are what a step's token needs to install modules and providers of this server.
func registryScopes() []string { return []string{"module:read", "provider:read"} }

// reach has the engine find this server's registry at the door, under the name by which configurations call it, with the
// step's own token. ROADBED_REGISTRY is that name.
const reach = `
if [ -n "${ROADBED_REGISTRY:-}" ] && [ -n "${ROADBED_TOKEN:-}" ] && [ -w "${TF_CLI_CONFIG_FILE:-}" ]; then
  printf '\nhost "%s" {\n  services = {\n    "modules.v1"   = "%s/v1/modules/"\n    "providers.v1" = "%s/v1/providers/"\n  }\n}\ncredentials "%s" {\n  token = "%s"\n}\n' \
    "$ROADBED_REGISTRY" "$ROADBED_URL" "$ROADBED_URL" "$ROADBED_REGISTRY" "$ROADBED_TOKEN" >> "$TF_CLI_CONFIG_FILE"
fi
`
