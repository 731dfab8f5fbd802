// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"strings"
)

// tree is a root file system that was read from a tar, by clean names.
type tree map[string]item

func readTree(name string) (tree, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	result := tree{}
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return result, nil
		}
		if err != nil {
			return nil, err
		}
		it := item{header: tar.Header{
			Name: clean(header.Name), Linkname: header.Linkname, Mode: header.Mode, Uid: header.Uid, Gid: header.Gid,
			Size: header.Size, Typeflag: header.Typeflag,
		}}
		switch header.Typeflag {
		case tar.TypeReg:
			if it.content, err = io.ReadAll(archive); err != nil {
				return nil, err
			}
		case tar.TypeLink:
			// A hard link becomes a copy: its target may not be selected.
			if target, there := result[clean(header.Linkname)]; there {
				it.header.Typeflag, it.header.Linkname, it.header.Size = target.header.Typeflag, target.header.Linkname, target.header.Size
				it.content = target.content
			}
		case tar.TypeDir, tar.TypeSymlink:
		default:
			continue
		}
		if it.header.Name != "" {
			result[it.header.Name] = it
		}
	}
}

// take copies to items what matches the patterns, the targets of links among it, and the libraries that it needs; all
// of the tree for the pattern "**".
func (t tree) take(patterns []string, items map[string]item) error {
	for _, pattern := range patterns {
		if pattern == "**" {
			maps.Copy(items, t)
			continue
		}
		found := false
		for name := range t {
			matches, err := path.Match(pattern, name)
			if err != nil {
				return fmt.Errorf("%s: %w", pattern, err)
			}
			if matches {
				found = true
				if err := t.add(name, items); err != nil {
					return err
				}
			}
		}
		if !found {
			return fmt.Errorf("nothing matches %s", pattern)
		}
	}
	return nil
}

// add copies one file, and what it needs, under its real name (no folder on the way is a link).
func (t tree) add(name string, items map[string]item) error {
	name, err := t.real(name, items)
	if err != nil {
		return err
	}
	if _, there := items[name]; there {
		return nil
	}
	it := t[name]
	items[name] = it
	switch it.header.Typeflag {
	case tar.TypeSymlink:
		return t.add(target(name, it.header.Linkname), items)
	case tar.TypeReg:
		return t.addLibraries(it, items)
	}
	return nil
}

// real resolves the links among the folders of a name and keeps them: programs may be called by the other name.
func (t tree) real(name string, items map[string]item) (string, error) {
	for depth := 0; depth < 40; depth++ {
		resolved := name
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			if it, there := t[folder]; there && it.header.Typeflag == tar.TypeSymlink {
				items[folder] = it
				resolved = target(folder, it.header.Linkname) + strings.TrimPrefix(name, folder)
			}
		}
		if resolved == name {
			if _, there := t[name]; !there {
				return "", fmt.Errorf("there is no %s", name)
			}
			return name, nil
		}
		name = resolved
	}
	return "", fmt.Errorf("%s: too many links", name)
}

func target(name, link string) string {
	if path.IsAbs(link) {
		return clean(link)
	}
	return clean(path.Join(path.Dir(name), link))
}

// addLibraries adds the loader and the libraries of a dynamically linked program or library.
func (t tree) addLibraries(it item, items map[string]item) error {
	if !bytes.HasPrefix(it.content, []byte(elf.ELFMAG)) {
		return nil
	}
	program, err := elf.NewFile(bytes.NewReader(it.content))
	if err != nil {
		return fmt.Errorf("%s: %w", it.header.Name, err)
	}
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			loader, err := io.ReadAll(segment.Open())
			if err != nil {
				return fmt.Errorf("%s: %w", it.header.Name, err)
			}
			if err := t.add(clean(strings.TrimRight(string(loader), "\x00")), items); err != nil {
				return fmt.Errorf("%s: %w", it.header.Name, err)
			}
		}
	}
	libraries, err := program.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("%s: %w", it.header.Name, err)
	}
	for _, library := range libraries {
		name, err := t.library(library)
		if err != nil {
			return fmt.Errorf("%s: %w", it.header.Name, err)
		}
		if err := t.add(name, items); err != nil {
			return fmt.Errorf("%s: %w", it.header.Name, err)
		}
	}
	return nil
}

func (t tree) library(name string) (string, error) {
	for _, folder := range []string{"lib", "usr/lib", "lib/*-linux-gnu", "usr/lib/*-linux-gnu"} {
		for candidate := range t {
			if path.Base(candidate) != name {
				continue
			}
			if matches, _ := path.Match(folder, path.Dir(candidate)); matches {
				return candidate, nil
			}
		}
	}
	return "", fmt.Errorf("no package brings the library %s", name)
}
