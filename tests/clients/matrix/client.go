// One client of the matrix in Go: net/http over HTTP/1.1 or HTTP/2.
//
//	client 1|2 URL CALLS CONCURRENT SIZE [FIRST]
//
// Makes CALLS calls of the API at URL, CONCURRENT at a time, with prompts of SIZE bytes; every second one is streamed. FIRST is called
// once before them. Prints `ok CALLS`. With WIRESPAN_DEEP in the environment, the connection below TLS reads at the bottom of a deep
// recursion, which makes the stack of the goroutine grow while it is inside TLS.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func call(client *http.Client, url string, n, size, protocol int) {
	asked := map[string]any{"model": "gpt-4o-mini",
		"messages": []any{map[string]string{"role": "user", "content": fmt.Sprintf("go %d äöü %s", n, strings.Repeat("x", size))}}}
	if n%2 == 1 {
		asked["stream"] = true
	}
	body, err := json.Marshal(asked)
	check(err)
	request, err := http.NewRequest("POST", url, bytes.NewReader(body))
	check(err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer sk-test-secret")
	answer, err := client.Do(request)
	check(err)
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != 200 || answer.ProtoMajor != protocol || (n%2 == 1) != bytes.Contains(got, []byte("[DONE]")) {
		check(fmt.Errorf("%s %s: %.200s", answer.Proto, answer.Status, got))
	}
}

type deepConn struct{ net.Conn }

func (c deepConn) Read(b []byte) (int, error) {
	// What is not used of a stack is taken from it when garbage is collected.
	runtime.GC()
	return c.readAt(200, b)
}

//go:noinline
func (c deepConn) readAt(depth int, b []byte) (int, error) {
	var frame [512]byte
	frame[depth] = byte(depth)
	if depth == 0 {
		return c.Conn.Read(b)
	}
	n, err := c.readAt(depth-1, b)
	return n + int(frame[depth]) - depth, err
}

func main() {
	if len(os.Args) < 6 {
		check(fmt.Errorf("usage: client 1|2 URL CALLS CONCURRENT SIZE [FIRST]"))
	}
	protocol, url, calls, concurrent, size := number(os.Args[1]), os.Args[2], number(os.Args[3]), number(os.Args[4]), number(os.Args[5])
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{MaxIdleConnsPerHost: concurrent, TLSClientConfig: &tls.Config{RootCAs: pool}}
	if protocol == 2 {
		transport.ForceAttemptHTTP2 = true
	} else {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	if os.Getenv("WIRESPAN_DEEP") != "" {
		transport.Dial = func(network, address string) (net.Conn, error) {
			conn, err := net.Dial(network, address)
			return deepConn{conn}, err
		}
	}
	client := &http.Client{Transport: transport}
	if len(os.Args) > 6 {
		call(client, os.Args[6], 0, size, protocol)
	}
	numbers := make(chan int)
	var all sync.WaitGroup
	for range concurrent {
		all.Add(1)
		go func() {
			defer all.Done()
			for n := range numbers {
				call(client, url, n, size, protocol)
			}
		}()
	}
	for n := range calls {
		numbers <- n
	}
	close(numbers)
	all.Wait()
	fmt.Printf("ok %d\n", calls)
}
