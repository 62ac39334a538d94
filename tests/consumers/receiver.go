// Receives webhooks: WEBHOOK_SECRET=whsec_... go run receiver.go PORT
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	tolerance   = 5 * time.Minute
	longestBody = 1024 * 1024
)

var key []byte

func isGenuine(header http.Header, body []byte) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseUint(timestamp, 10, 40)
	if id == "" || err != nil {
		return false
	}
	if age := time.Since(time.Unix(int64(seconds), 0)); age > tolerance || age < -tolerance {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	// While a secret is rotated there are several signatures: one that matches is enough.
	for _, given := range strings.Split(header.Get("webhook-signature"), " ") {
		if hmac.Equal([]byte(given), []byte(expected)) {
			return true
		}
	}
	return false
}

func receive(w http.ResponseWriter, r *http.Request) {
	// The bytes as they came: parsed JSON could not be verified any more.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestBody))
	if err != nil || !isGenuine(r.Header, body) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	// Here: store webhook-id and body, unless the id is there already; work on it after the answer.
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	var err error
	key, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(key) < 24 {
		log.Fatal("WEBHOOK_SECRET is not whsec_ and base64")
	}
	server := http.Server{
		Addr:        "127.0.0.1:" + os.Args[1],
		Handler:     http.HandlerFunc(receive),
		ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute,
	}
	log.Fatal(server.ListenAndServe())
}
