// Chat completions over HTTP/2 with Go's net/http, as the server or as the client of a captured process.
//
//	http2 serve CERTIFICATE KEY
//	http2 call URL AUTHORITY CALLS [FILE]
//
// With FILE, calls are made one after the other until FILE exists, then CALLS at once, all on one connection.
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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type question struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Content string `json:"content"`
	} `json:"messages"`
}

var number atomic.Int64

func answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var asked question
	if err != nil || r.ProtoMajor != 2 || json.Unmarshal(body, &asked) != nil {
		http.Error(w, "not what was expected", http.StatusBadRequest)
		return
	}
	id := fmt.Sprintf("chatcmpl-go-%d", number.Add(1))
	usage := map[string]int{"prompt_tokens": len(body), "completion_tokens": 7, "total_tokens": len(body) + 7}
	head := map[string]any{"id": id, "created": 1760000000, "model": asked.Model}
	if !asked.Stream {
		head["object"] = "chat.completion"
		head["usage"] = usage
		message := map[string]string{"role": "assistant", "content": strings.Repeat("x", 40000)}
		head["choices"] = []any{map[string]any{"index": 0, "message": message, "finish_reason": "stop"}}
		w.Header().Set("Content-Type", "application/json")
		check(json.NewEncoder(w).Encode(head))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	head["object"] = "chat.completion.chunk"
	event := func(choices []any) {
		head["choices"] = choices
		text, err := json.Marshal(head)
		check(err)
		fmt.Fprintf(w, "data: %s\n\n", text)
		w.(http.Flusher).Flush()
	}
	for piece := range 20 {
		delta := map[string]string{"content": fmt.Sprintf("piece %d ", piece)}
		event([]any{map[string]any{"index": 0, "delta": delta, "finish_reason": nil}})
	}
	event([]any{map[string]any{"index": 0, "delta": map[string]string{}, "finish_reason": "stop"}})
	head["usage"] = usage
	event([]any{})
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func serve(certificate, key string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	check(http.ServeTLS(listener, http.HandlerFunc(answer), certificate, key))
}

func call(client *http.Client, url string, n int) {
	stream := n%2 == 0
	text := fmt.Sprintf("go %d: %s", n, strings.Repeat("äöü 日本 ", n))
	body, err := json.Marshal(map[string]any{"model": "gpt-4o-mini", "stream": stream,
		"messages": []any{map[string]string{"role": "user", "content": text}}})
	check(err)
	response, err := client.Post(url+"/v1/chat/completions", "application/json", bytes.NewReader(body))
	check(err)
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	check(err)
	if response.ProtoMajor != 2 || response.StatusCode != 200 || strings.Contains(string(got), "[DONE]") != stream {
		check(fmt.Errorf("%s %s: %s", response.Proto, response.Status, got))
	}
}

func calls(url, authority string, count int, wait string) {
	pem, err := os.ReadFile(authority)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{RootCAs: pool},
	}}
	before := 0
	for wait != "" {
		call(client, url, before)
		before++
		fmt.Printf("call %d\n", before)
		if _, err := os.Stat(wait); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var all sync.WaitGroup
	for n := range count {
		all.Add(1)
		go func() {
			defer all.Done()
			call(client, url, n)
		}()
	}
	all.Wait()
	fmt.Printf("{\"ok\": %d, \"before\": %d, \"connections\": 1}\n", count, before)
}

func main() {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "serve":
		serve(os.Args[2], os.Args[3])
	case len(os.Args) >= 5 && os.Args[1] == "call":
		count, err := strconv.Atoi(os.Args[4])
		check(err)
		wait := ""
		if len(os.Args) > 5 {
			wait = os.Args[5]
		}
		calls(os.Args[2], os.Args[3], count, wait)
	default:
		check(fmt.Errorf("usage: http2 serve CERTIFICATE KEY | http2 call URL AUTHORITY CALLS [FILE]"))
	}
}
