// SPDX-License-Identifier: GPL-3.0-or-later

// Command registry keeps images in memory, without TLS, at the addresses that it is given.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	handler, ended := registry.New(), make(chan error)
	for _, address := range os.Args[1:] {
		go func() { ended <- http.ListenAndServe(address, handler) }()
	}
	log.Fatal(<-ended)
}
