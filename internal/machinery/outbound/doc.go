// Package outbound is how the server reaches addresses that its users name: forges, and repositories to import.
//
// A Guard dials. It looks at the address that is really dialled, after names are resolved and at each attempt, so that a
// name that is resolved otherwise the next time leads nowhere else. What is not public it refuses: loopback, link-local,
// private and shared networks, the metadata services of clouds, whatever an IPv6 address has within it. The operator of
// the server names what is allowed nevertheless.
//
// A Proxy lets programs that dial on their own, such as git, dial by a Guard: an HTTP proxy on a port of the loopback that
// takes a password of its own.
//
// Where the operator has set HTTPS_PROXY or HTTP_PROXY, connections are made through that proxy, which resolves names
// itself and has its own rules: then only addresses that are written as such are looked at here.
package outbound
