// Peer is the other side of the forwards' test.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for {
		conn, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go answer(conn)
	}
}

func answer(conn net.Conn) {
	defer conn.Close()
	b, _ := io.ReadAll(conn)
	fmt.Fprintf(conn, "peer got %d bytes; ", len(b))
	door, err := net.Dial("tcp", "127.0.0.1:7070")
	if err != nil {
		fmt.Fprint(conn, err)
		return
	}
	defer door.Close()
	door.Write(b)
	door.(*net.TCPConn).CloseWrite()
	io.Copy(conn, door)
}
