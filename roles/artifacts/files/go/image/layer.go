// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Entry is one thing that goes into a layer: a file of the host, a text, a link, a folder (none of these is given), or what is
// selected from a tar.
type Entry struct {
	Path string `json:"path"`
	File string `json:"file"`
	Text string `json:"text"`
	Link string `json:"link"`

	// Tar is the path of a root file system; Select has the patterns (path.Match) of what is taken out of it, together with
	// the shared libraries that it is linked to.
	Tar    string   `json:"tar"`
	Select []string `json:"select"`

	Mode int64 `json:"mode"`
	UID  int   `json:"uid"`
	GID  int   `json:"gid"`
	// BindPorts lets a program bind ports below 1024 whoever runs it.
	BindPorts bool `json:"bind_ports"`
}

// The time of every file, so that a layer depends on its content alone.
var epoch = time.Unix(0, 0).UTC()

// The extended attribute of a file with cap_net_bind_service in the effective and permitted sets (struct vfs_cap_data, revision 2).
const bindPorts = "\x01\x00\x00\x02" + "\x00\x04\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// item is a member of a tar whose content is in memory or in a file of the host.
type item struct {
	header  tar.Header
	content []byte
	file    string
}

// layer is a tar on disk. It is not compressed: a machine of ours reads it from the same disk, so compression would only cost time.
type layer struct {
	path string
	hash v1.Hash
	size int64
}

func (l layer) Digest() (v1.Hash, error)             { return l.hash, nil }
func (l layer) DiffID() (v1.Hash, error)             { return l.hash, nil }
func (l layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l layer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l layer) Size() (int64, error)                 { return l.size, nil }
func (l layer) MediaType() (types.MediaType, error)  { return types.DockerUncompressedLayer, nil }

// writeLayer writes the entries to a tar, sorted by name; a later entry takes the place of an earlier one.
func writeLayer(output string, entries []Entry) (layer, error) {
	items := map[string]item{}
	for _, entry := range entries {
		if entry.Tar != "" {
			tree, err := readTree(entry.Tar)
			if err != nil {
				return layer{}, fmt.Errorf("%s: %w", entry.Tar, err)
			}
			if err := tree.take(entry.Select, items); err != nil {
				return layer{}, fmt.Errorf("%s: %w", entry.Tar, err)
			}
			continue
		}
		it, err := entry.item()
		if err != nil {
			return layer{}, err
		}
		items[it.header.Name] = it
	}
	addParents(items)

	file, err := os.Create(output)
	if err != nil {
		return layer{}, err
	}
	defer file.Close()
	hash := sha256.New()
	archive := tar.NewWriter(io.MultiWriter(file, hash))
	names := make([]string, 0, len(items))
	for n := range items {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if err := items[n].write(archive); err != nil {
			return layer{}, fmt.Errorf("%s: %w", n, err)
		}
	}
	if err := errors.Join(archive.Close(), file.Sync()); err != nil {
		return layer{}, err
	}
	info, err := file.Stat()
	if err != nil {
		return layer{}, err
	}
	return layer{output, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}, info.Size()}, nil
}

func (e Entry) item() (item, error) {
	header := tar.Header{Name: clean(e.Path), Mode: e.Mode, Uid: e.UID, Gid: e.GID, Typeflag: tar.TypeReg}
	content := []byte(e.Text)
	mode := int64(0o644)
	switch {
	case e.File != "":
		info, err := os.Stat(e.File)
		if err != nil {
			return item{}, err
		}
		header.Size, mode = info.Size(), 0o755
	case e.Link != "":
		header.Typeflag, header.Linkname, mode = tar.TypeSymlink, e.Link, 0o777
	case e.Text == "":
		header.Typeflag, mode = tar.TypeDir, 0o755
	default:
		header.Size = int64(len(content))
	}
	if header.Mode == 0 {
		header.Mode = mode
	}
	if e.BindPorts {
		header.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": bindPorts}
	}
	return item{header, content, e.File}, nil
}

func (i item) write(archive *tar.Writer) error {
	header := i.header
	header.ModTime = epoch
	if header.Typeflag == tar.TypeDir {
		header.Name += "/"
	}
	if err := archive.WriteHeader(&header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	content := io.Reader(bytes.NewReader(i.content))
	if i.file != "" {
		file, err := os.Open(i.file)
		if err != nil {
			return err
		}
		defer file.Close()
		content = file
	}
	_, err := io.Copy(archive, content)
	return err
}

// addParents adds the folders that no entry names.
func addParents(items map[string]item) {
	for n := range items {
		for n = path.Dir(n); n != "."; n = path.Dir(n) {
			if _, there := items[n]; !there {
				items[n] = item{header: tar.Header{Name: n, Mode: 0o755, Typeflag: tar.TypeDir}}
			}
		}
	}
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
