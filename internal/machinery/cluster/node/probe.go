package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	firstProbe   = 3 * time.Millisecond  // wait after the first try that failed; it doubles up to the period
	listenWait   = 30 * time.Second      // how long a pod without a readiness probe is waited for to listen
	refusalWait  = 25 * time.Millisecond // in which a port that nobody listens at is known: the relay hangs up
	maxProbeBody = 10 << 10
)

// timing is a probe's numbers with Kubernetes' defaults.
type timing struct {
	delay, period, timeout time.Duration
	success, failure       int
}

func timingOf(p *corev1.Probe) timing {
	seconds := func(n int32, otherwise int32) time.Duration { return time.Duration(or(n, otherwise)) * time.Second }
	return timing{
		delay: seconds(p.InitialDelaySeconds, 0), period: seconds(p.PeriodSeconds, 10), timeout: seconds(p.TimeoutSeconds, 1),
		success: int(or(p.SuccessThreshold, 1)), failure: int(or(p.FailureThreshold, 3)),
	}
}

func probePort(p *corev1.Probe) intstr.IntOrString {
	switch {
	case p == nil:
	case p.HTTPGet != nil:
		return p.HTTPGet.Port
	case p.TCPSocket != nil:
		return p.TCPSocket.Port
	}
	return intstr.IntOrString{}
}

// probe watches a container until ctx ends, or until it is to be ended: then it says why. A program is tried at once
// and soon again, whatever its period, so that it is used as soon as it can be; before initialDelaySeconds a failure
// does not count.
func (n *Node) probe(ctx context.Context, p *pod, k *corev1.Container, sockets map[int]string) string {
	if k.StartupProbe != nil {
		if why := n.probeStartup(ctx, p, k, sockets); why != "" || ctx.Err() != nil {
			return why
		}
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group.Go(func() { n.probeReadiness(ctx, p, k, sockets) })
	if k.LivenessProbe == nil {
		<-ctx.Done()
		return ""
	}
	return n.probeLiveness(ctx, k, sockets)
}

// probeStartup gives "" once the program has started, or why it never will.
func (n *Node) probeStartup(ctx context.Context, p *pod, k *corev1.Container, sockets map[int]string) string {
	t := timingOf(k.StartupProbe)
	deadline := n.now().Add(t.delay + time.Duration(t.failure)*t.period)
	for wait := firstProbe; ; wait = min(wait*2, t.period) {
		err := try(ctx, k.StartupProbe, k, sockets, t.timeout)
		if err == nil || ctx.Err() != nil {
			return ""
		}
		why := "startup probe: " + err.Error()
		n.setReady(p, false, why)
		if !n.now().Before(deadline) {
			return why
		}
		if !sleep(ctx, min(wait, max(deadline.Sub(n.now()), firstProbe))) {
			return ""
		}
	}
}

func (n *Node) probeReadiness(ctx context.Context, p *pod, k *corev1.Container, sockets map[int]string) {
	if k.ReadinessProbe == nil {
		n.awaitListening(ctx, p, k, sockets)
		return
	}
	t := timingOf(k.ReadinessProbe)
	counted := n.now().Add(t.delay)
	good, bad, wait, ever := 0, 0, firstProbe, false
	for {
		err := try(ctx, k.ReadinessProbe, k, sockets, t.timeout)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			good, bad = good+1, 0
			if good >= t.success {
				n.setReady(p, true, "")
				ever, wait = true, t.period
			}
		default:
			if good = 0; !n.now().Before(counted) {
				bad++
			}
			why := "readiness probe: " + err.Error()
			if !ever || bad >= t.failure {
				n.setReady(p, false, why)
			}
			if bad == t.failure {
				n.events.add(p.owner, p.key, true, "Unhealthy", "%s", why)
			}
		}
		if !sleep(ctx, wait) {
			return
		}
		wait = min(wait*2, t.period)
	}
}

// awaitListening makes a pod without a readiness probe ready when its first port accepts.
func (n *Node) awaitListening(ctx context.Context, p *pod, k *corev1.Container, sockets map[int]string) {
	if len(k.Ports) > 0 {
		socket := sockets[int(k.Ports[0].ContainerPort)]
		deadline := n.now().Add(listenWait)
		for wait := firstProbe; n.now().Before(deadline); wait = min(wait*2, time.Second) {
			if tryTCP(ctx, socket, refusalWait) == nil {
				break
			}
			n.setReady(p, false, fmt.Sprintf("nothing listens at port %d yet", k.Ports[0].ContainerPort))
			if !sleep(ctx, wait) {
				return
			}
		}
	}
	if ctx.Err() == nil {
		n.setReady(p, true, "")
	}
}

// probeLiveness gives why a container is to be ended, "" when ctx ended before.
func (n *Node) probeLiveness(ctx context.Context, k *corev1.Container, sockets map[int]string) string {
	t := timingOf(k.LivenessProbe)
	if !sleep(ctx, max(t.delay, min(t.period, time.Second))) {
		return ""
	}
	for bad := 0; ; {
		err := try(ctx, k.LivenessProbe, k, sockets, t.timeout)
		switch {
		case ctx.Err() != nil:
			return ""
		case err == nil:
			bad = 0
		default:
			if bad++; bad >= t.failure {
				return fmt.Sprintf("liveness probe: %v, %d times in a row", err, bad)
			}
		}
		if !sleep(ctx, t.period) {
			return ""
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// try does one probe.
func try(ctx context.Context, p *corev1.Probe, k *corev1.Container, sockets map[int]string, timeout time.Duration) error {
	port, _ := portNumber(k.Ports, probePort(p))
	if p.HTTPGet != nil {
		return tryHTTP(ctx, p.HTTPGet, sockets[port], port, timeout)
	}
	if err := tryTCP(ctx, sockets[port], min(timeout, 4*refusalWait)); err != nil {
		return fmt.Errorf("nothing accepts at port %d", port)
	}
	return nil
}

// tryTCP tells whether a program accepts behind a socket. The relay accepts in any case, and hangs up when nobody
// does inside; so a connection that stays, or on which something is said, is a good one.
func tryTCP(ctx context.Context, socket string, wait time.Duration) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func tryHTTP(ctx context.Context, g *corev1.HTTPGetAction, socket string, port int, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	scheme := strings.ToLower(or(string(g.Scheme), "http"))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://127.0.0.1:%d/%s", scheme, port, strings.TrimPrefix(g.Path, "/")), nil)
	if err != nil {
		return fmt.Errorf("the path can't be asked for: %w", err)
	}
	request.Header.Set("User-Agent", "kube-probe/roadbed")
	for _, h := range g.HTTPHeaders {
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			request.Host = h.Value
		} else {
			request.Header.Add(h.Name, h.Value)
		}
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true}, // as Kubernetes: a probe asks for life, not for identity
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("GET %s did not answer in %s", g.Path, timeout)
	case err != nil:
		return fmt.Errorf("nothing answers at port %d", port)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxProbeBody))
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		said := strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), 200)]), ""))
		if said != "" {
			said = ": " + said
		}
		return fmt.Errorf("GET %s gave HTTP %d%s", g.Path, response.StatusCode, said)
	}
	return nil
}
