// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func assemble(t *testing.T, text string) string {
	t.Helper()
	var spec Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	spec.Output = filepath.Join(t.TempDir(), "image.tar")
	if err := write(spec); err != nil {
		t.Fatal(err)
	}
	return spec.Output
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	reference := strings.TrimPrefix(server.URL, "http://") + "/team/app:1"
	archive := assemble(t, `{"layers": [[{"path": "a", "text": "1"}]], "image": {"reference": "localhost/app:1", "os": "linux", "arch": "amd64", "config": {}}}`)
	for _, looks := range []bool{true, false, false, true} {
		if err := push(archive, reference, looks); err != nil {
			t.Fatal(err)
		}
	}
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(tag)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Architecture != "amd64" {
		t.Errorf("the registry has %+v, %v", config, err)
	}
	first, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	rebuilt := assemble(t, `{"layers": [[{"path": "a", "text": "2"}]], "image": {"reference": "localhost/app:1", "os": "linux", "arch": "amd64", "config": {}}}`)
	if err := push(rebuilt, reference, false); err != nil {
		t.Fatal(err)
	}
	if there, err := remote.Head(tag); err != nil || there.Digest != first {
		t.Errorf("a tag that was there is now %+v, %v", there, err)
	}
	server.Close()
	if err := push(archive, reference, false); err == nil {
		t.Error("a registry that is away is no error")
	}
}
