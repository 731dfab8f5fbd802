// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// member is what a test looks at in a tar.
type member struct {
	kind    byte
	link    string
	mode    int64
	owner   [2]int
	content string
	xattr   string
}

func read(t *testing.T, file string) map[string]member {
	t.Helper()
	handle, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	members := map[string]member{}
	for archive := tar.NewReader(handle); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(epoch) {
			t.Errorf("%s has the time %s", header.Name, header.ModTime)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		members[header.Name] = member{
			header.Typeflag, header.Linkname, header.Mode, [2]int{header.Uid, header.Gid}, string(content),
			header.PAXRecords["SCHILY.xattr.security.capability"],
		}
	}
}

// pack writes a tar as mmdebstrap does: names begin with "./", and there are devices. A file's content is given as its Uname.
func pack(t *testing.T, headers ...tar.Header) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tree.tar")
	handle, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	archive := tar.NewWriter(handle)
	for _, header := range headers {
		content := header.Uname
		header.Uname, header.Name = "", "./"+header.Name
		header.Size = int64(len(content))
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func layerOf(t *testing.T, entries ...Entry) map[string]member {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layer.tar")
	if _, err := writeLayer(file, entries); err != nil {
		t.Fatal(err)
	}
	return read(t, file)
}

func TestEntries(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!"), 0o600); err != nil {
		t.Fatal(err)
	}
	members := layerOf(t,
		Entry{Path: "usr/bin/program", File: program, BindPorts: true},
		Entry{Path: "/etc/passwd", Text: "root\n"},
		Entry{Path: "bin", Link: "usr/bin"},
		Entry{Path: "home", UID: 100, GID: 1000},
		Entry{Path: "tmp", Mode: 0o1777},
	)
	expected := map[string]member{
		"usr/":            {kind: tar.TypeDir, mode: 0o755},
		"usr/bin/":        {kind: tar.TypeDir, mode: 0o755},
		"usr/bin/program": {kind: tar.TypeReg, mode: 0o755, content: "#!", xattr: bindPorts},
		"etc/":            {kind: tar.TypeDir, mode: 0o755},
		"etc/passwd":      {kind: tar.TypeReg, mode: 0o644, content: "root\n"},
		"bin":             {kind: tar.TypeSymlink, mode: 0o777, link: "usr/bin"},
		"home/":           {kind: tar.TypeDir, mode: 0o755, owner: [2]int{100, 1000}},
		"tmp/":            {kind: tar.TypeDir, mode: 0o1777},
	}
	if len(members) != len(expected) {
		t.Errorf("members: %v", members)
	}
	for path, want := range expected {
		if members[path] != want {
			t.Errorf("%s is %+v, not %+v", path, members[path], want)
		}
	}
	if len(bindPorts) != 20 {
		t.Errorf("the capability has %d bytes", len(bindPorts))
	}
}

func TestSelect(t *testing.T) {
	tree := pack(t,
		tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Mode: 0o666},
		tar.Header{Name: "bin", Typeflag: tar.TypeSymlink, Linkname: "usr/bin"},
		tar.Header{Name: "usr/bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "usr/bin/real", Typeflag: tar.TypeReg, Mode: 0o755, Uname: "text"},
		tar.Header{Name: "usr/bin/twin", Typeflag: tar.TypeLink, Linkname: "./usr/bin/real"},
		tar.Header{Name: "usr/bin/name", Typeflag: tar.TypeSymlink, Linkname: "/etc/alternatives/name"},
		tar.Header{Name: "etc/alternatives/name", Typeflag: tar.TypeSymlink, Linkname: "../../bin/real"},
		tar.Header{Name: "usr/bin/other", Typeflag: tar.TypeReg, Mode: 0o755, Uname: "not wanted"},
	)
	members := layerOf(t, Entry{Tar: tree, Select: []string{"usr/bin/na*", "usr/bin/twin"}})
	for path, want := range map[string]member{
		"usr/bin/name":          {kind: tar.TypeSymlink, link: "/etc/alternatives/name"},
		"etc/alternatives/name": {kind: tar.TypeSymlink, link: "../../bin/real"},
		"bin":                   {kind: tar.TypeSymlink, link: "usr/bin"},
		"usr/bin/real":          {kind: tar.TypeReg, mode: 0o755, content: "text"},
		"usr/bin/twin":          {kind: tar.TypeReg, content: "text"},
	} {
		if members[path] != want {
			t.Errorf("%s is %+v, not %+v", path, members[path], want)
		}
	}
	for _, path := range []string{"usr/bin/other", "dev/null"} {
		if _, there := members[path]; there {
			t.Errorf("%s was not selected", path)
		}
	}
	_, err := writeLayer(filepath.Join(t.TempDir(), "x"), []Entry{{Tar: tree, Select: []string{"usr/sbin/*"}}})
	if err == nil || !strings.Contains(err.Error(), "nothing matches usr/sbin/*") {
		t.Errorf("the error is %v", err)
	}
}

func TestImage(t *testing.T) {
	assemble := func() string {
		file := filepath.Join(t.TempDir(), "image.tar")
		var spec Spec
		text := `{"layers": [[{"path": "etc/a", "text": "1"}], [{"path": "etc/b", "text": "2"}]],
			"image": {"reference": "localhost/some/name:v1", "os": "linux", "arch": "arm64",
				"config": {"Entrypoint": ["run"], "User": "100:1000", "ExposedPorts": {"53/udp": {}}}}}`
		if err := json.Unmarshal([]byte(text), &spec); err != nil {
			t.Fatal(err)
		}
		spec.Output = file
		if err := write(spec); err != nil {
			t.Fatal(err)
		}
		return file
	}
	first, second := assemble(), assemble()
	for i, file := range []string{first, second} {
		tag, err := name.NewTag("localhost/some/name:v1")
		if err != nil {
			t.Fatal(err)
		}
		image, err := tarball.ImageFromPath(file, &tag)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.OS != "linux" || config.Architecture != "arm64" || config.Config.User != "100:1000" || len(config.RootFS.DiffIDs) != 2 {
			t.Errorf("image %d has the configuration %+v", i, config)
		}
	}
	var bytes [2]string
	for i, file := range []string{first, second} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bytes[i] = string(content)
	}
	if bytes[0] != bytes[1] {
		t.Error("the same input gave other bytes")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(first), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the image there is %v", left)
	}
}

func TestImageOnTopOfAnother(t *testing.T) {
	base := assemble(t, `{"layers": [[{"path": "etc/a", "text": "1"}]], "image": {"reference": "localhost/base:1", "os": "linux",
		"arch": "amd64", "config": {"Entrypoint": ["base"], "Cmd": ["node"], "User": "100:1000"}}}`)
	file := assemble(t, `{"layers": [[{"path": "usr/bin/app", "text": "2"}]], "image": {"reference": "localhost/app:1", "os": "linux",
		"arch": "amd64", "base": "`+base+`", "config": {"Entrypoint": ["app"], "Cmd": null}}}`)
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if len(config.RootFS.DiffIDs) != 2 || config.Config.Entrypoint[0] != "app" || config.Config.Cmd != nil || config.Config.User != "100:1000" {
		t.Errorf("its configuration is %+v", config)
	}
}
