// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The libraries of a real program of this machine, in a tree that is laid out as this machine is.
func TestLibraries(t *testing.T) {
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("there is no /bin/sh")
	}
	var headers []tar.Header
	for _, folder := range []string{"/lib", "/lib64"} {
		if link, err := os.Readlink(folder); err == nil {
			headers = append(headers, tar.Header{Name: folder[1:], Typeflag: tar.TypeSymlink, Linkname: link})
		}
	}
	files, _ := filepath.Glob("/usr/lib*/*-linux-gnu*/libc.so.6")
	for _, pattern := range []string{"/usr/lib*/ld-linux*", "/usr/lib/*-linux-gnu/ld-linux*", "/usr/lib/*-linux-gnu/libtinfo.so*"} {
		more, _ := filepath.Glob(pattern)
		files = append(files, more...)
	}
	if len(headers) == 0 || len(files) < 2 {
		t.Skip("this machine is not laid out as Debian is")
	}
	for _, file := range append(files, shell) {
		if link, err := os.Readlink(file); err == nil {
			headers = append(headers, tar.Header{Name: file[1:], Typeflag: tar.TypeSymlink, Linkname: link})
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, tar.Header{Name: file[1:], Typeflag: tar.TypeReg, Mode: 0o755, Uname: string(content)})
	}
	members := layerOf(t, Entry{Tar: pack(t, headers...), Select: []string{shell[1:]}})
	var names []string
	for path := range members {
		names = append(names, filepath.Base(path))
	}
	all := strings.Join(names, " ")
	for _, want := range []string{"ld-linux", "libc.so.6"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not among %s", want, all)
		}
	}

	_, err = writeLayer(filepath.Join(t.TempDir(), "x"), []Entry{
		{Tar: pack(t, headers[len(headers)-1]), Select: []string{shell[1:]}},
	})
	if err == nil {
		t.Error("a program without its libraries was taken")
	}
}
