// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
)

// The user "me" with the password "secret".
const auths = `{"auths": {%q: {"auth": "bWU6c2VjcmV0"}}}`

// home is a user of docker, who is logged in elsewhere.
func home(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, value := range map[string]string{
		"HOME": folder, "DOCKER_CONFIG": filepath.Join(folder, ".docker"), "XDG_RUNTIME_DIR": filepath.Join(folder, "run"),
		"XDG_CONFIG_HOME": "", "REGISTRY_AUTH_FILE": "", "DOCKER_AUTH_CONFIG": "",
	} {
		t.Setenv(name, value)
	}
	logIn(t, filepath.Join(folder, ".docker/config.json"), "elsewhere.example.com")
	return folder
}

func logIn(t *testing.T, file, place string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, auths, place), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoginsOfPodmanBesideDockers(t *testing.T) {
	images := registry.New()
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if user, password, _ := request.BasicAuth(); user != "me" || password != "secret" {
			answer.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			answer.WriteHeader(http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(answer, request)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	archive := assemble(t, `{"layers": [[{"path": "a", "text": "1"}]], "image": {"reference": "localhost/app:1", "os": "linux", "arch": "amd64", "config": {}}}`)
	for number, file := range []string{"run/containers/auth.json", ".config/containers/auth.json", "named.json"} {
		folder := home(t)
		if file == "named.json" {
			t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(folder, file))
		}
		reference := fmt.Sprintf("%s/team/app:%d", host, number)
		if err := push(archive, reference, false); err == nil {
			t.Fatal("it was pushed without a login")
		}
		logIn(t, filepath.Join(folder, file), host)
		if err := push(archive, reference, false); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestForWhatALoginIs(t *testing.T) {
	for _, one := range []struct {
		login, image string
		found        bool
	}{
		{"registry.example.com", "registry.example.com/team/app", true},
		{"registry.example.com/team", "registry.example.com/team/app", true},
		{"registry.example.com/team/app", "registry.example.com/team/app", true},
		{"docker.io", "docker.io/team/app", true},
		{"https://index.docker.io/v1/", "docker.io/team/app", true},
		{"other.example.com", "registry.example.com/team/app", false},
	} {
		logIn(t, filepath.Join(home(t), "run/containers/auth.json"), one.login)
		place, err := name.NewRepository(one.image)
		if err != nil {
			t.Fatal(err)
		}
		login, err := logins().Resolve(place)
		if err != nil || (login != authn.Anonymous) != one.found {
			t.Errorf("%s by a login for %s: %v, %v", one.image, one.login, login, err)
		}
	}
}
