// SPDX-License-Identifier: GPL-3.0-or-later

// Command registry keeps images in memory, without TLS, at the addresses that it is given. Where LOGIN is USER:PASSWORD,
// nobody else may pull or push.
package main

import (
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	handler, ended := registry.New(), make(chan error)
	if login := os.Getenv("LOGIN"); login != "" {
		handler = guarded(handler, login)
	}
	for _, address := range os.Args[1:] {
		go func() { ended <- http.ListenAndServe(address, handler) }()
	}
	log.Fatal(<-ended)
}

func guarded(handler http.Handler, login string) http.Handler {
	user, password, _ := strings.Cut(login, ":")
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		givenUser, givenPassword, _ := request.BasicAuth()
		if givenUser == user && givenPassword == password {
			handler.ServeHTTP(answer, request)
			return
		}
		answer.Header().Set("WWW-Authenticate", `Basic realm="tests"`)
		body := `{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}`
		http.Error(answer, body, http.StatusUnauthorized)
	})
}
