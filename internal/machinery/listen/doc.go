// Package listen opens the one address on which a server answers, in clear, in TLS, or in both at once.
//
// The first byte that a client sends tells TLS (a handshake record, 0x16) from HTTP (a letter). A client that sends
// none holds nobody up, and is let go after Patience.
package listen
