// Makes calls over one connection and prints the CPU time that they took and their latencies, warm-up left out.
//
//	bench URL CALLS GO_FILE
//
// URL with its path. Says `warm`, then waits for the file.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cpu() float64 {
	var used syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func main() {
	if len(os.Args) != 4 {
		check(fmt.Errorf("usage: bench URL CALLS GO_FILE"))
	}
	calls, err := strconv.Atoi(os.Args[2])
	check(err)
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	body := []byte(`{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "measure"}]}`)
	if strings.HasSuffix(os.Args[1], "/orders") {
		body = []byte(`{"customer": "example-17", "items": [{"article": "lamp", "count": "2", "note": "measure"}]}`)
	}
	call := func() {
		answer, err := client.Post(os.Args[1], "application/json", bytes.NewReader(body))
		check(err)
		_, err = io.Copy(io.Discard, answer.Body)
		check(err)
		check(answer.Body.Close())
		if answer.StatusCode != 200 {
			check(fmt.Errorf("%s", answer.Status))
		}
	}
	for range 50 {
		call()
	}
	fmt.Println("warm")
	for {
		if _, err := os.Stat(os.Args[3]); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	latencies := make([]float64, 0, calls)
	begun := cpu()
	for range calls {
		from := time.Now()
		call()
		latencies = append(latencies, time.Since(from).Seconds())
	}
	used := cpu() - begun
	sort.Float64s(latencies)
	at := func(share float64) float64 { return latencies[min(calls-1, int(float64(calls)*share))] }
	said, err := json.Marshal(map[string]any{"cpu": used, "calls": calls, "p50": at(0.5), "p99": at(0.99)})
	check(err)
	fmt.Println(string(said))
}
