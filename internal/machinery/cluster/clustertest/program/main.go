// Command program is what the pods of clustertest run: an HTTP server that does as it is asked.
//
// Its environment: PORT (8080), VERSION (what / answers), START (wait before listening), EXIT (end with this code at
// once), HEALTH (the status of /healthz, 200). On SIGTERM it ends at once, so that a request still inside is lost.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	fmt.Println("starting version", os.Getenv("VERSION"))
	if code := os.Getenv("EXIT"); code != "" {
		n, _ := strconv.Atoi(code)
		fmt.Println("told to exit with", n)
		os.Exit(n)
	}
	if wait, err := time.ParseDuration(os.Getenv("START")); err == nil {
		time.Sleep(wait)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		fmt.Println("asked to end")
		os.Exit(0)
	}()
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	fmt.Println(http.ListenAndServe("127.0.0.1:"+port, handler()))
	os.Exit(3)
}

func handler() http.Handler {
	var health atomic.Int64
	health.Store(200)
	if n, err := strconv.ParseInt(os.Getenv("HEALTH"), 10, 64); err == nil {
		health.Store(n)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv("VERSION")) })
	mux.HandleFunc("/pod", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv("HOSTNAME")) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(int(health.Load())) })
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.FormValue("status"), 10, 64)
		health.Store(n)
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.FormValue("name"))) })
	mux.HandleFunc("/header", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.Header.Get(r.FormValue("name")))
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/once", once)
	mux.HandleFunc("/say", func(w http.ResponseWriter, r *http.Request) { fmt.Println(r.FormValue("what")) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		if what := r.FormValue("say"); what != "" {
			fmt.Println(what)
		}
		d, _ := time.ParseDuration(r.FormValue("for"))
		time.Sleep(d)
		fmt.Fprint(w, "done")
	})
	mux.HandleFunc("/exit", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(n)
	})
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) { answer(w)(os.ReadFile(r.FormValue("path"))) })
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		answer(w)(nil, os.WriteFile(r.FormValue("path"), []byte(r.FormValue("text")), 0o600))
	})
	mux.HandleFunc("/fill", func(w http.ResponseWriter, r *http.Request) { // and end with a code, if one is given
		n, _ := strconv.Atoi(r.FormValue("bytes"))
		answer(w)(nil, os.WriteFile(r.FormValue("path"), make([]byte, n), 0o600))
		if code, err := strconv.Atoi(r.FormValue("exit")); err == nil {
			os.Exit(code)
		}
	})
	mux.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		response, err := http.Get(r.FormValue("url"))
		if err != nil {
			answer(w)(nil, err)
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		w.Header().Set("X-Status", strconv.Itoa(response.StatusCode))
		answer(w)(body, err)
	})
	mux.HandleFunc("/upgrade", upgrade)
	return mux
}

func answer(w http.ResponseWriter) func([]byte, error) {
	return func(body []byte, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(body)
	}
}

// once hangs up after the answer, without having said that it would.
func once(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
}

// upgrade leaves HTTP and sends back what it gets.
func upgrade(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(conn, buffered)
}
