// Command lightservice is the service of the crash test: it answers each request with what it was built and started
// with.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
)

func main() {
	commit, err := os.ReadFile("/image/commit")
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		panic(err)
	}
	text := strings.Join([]string{strings.TrimSpace(string(commit)), os.Getenv("GREETING"), os.Getenv("ENDPOINT"), os.Getenv("REGION")}, "|")
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go answer(conn, text)
	}
}

func answer(conn net.Conn, text string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) == "" { // the end of a request's head
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
	}
}
