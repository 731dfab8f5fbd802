// SPDX-License-Identifier: GPL-3.0-or-later

// Command image puts files together, without a daemon, as a plain tar or as a container image in a docker archive.
// It reads one JSON document (type Spec) from the file that it is given. The same input gives the same bytes.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec says what to write: the layers as one image, or the only layer as it is when there is no image.
type Spec struct {
	Output string    `json:"output"`
	Layers [][]Entry `json:"layers"`
	Image  *struct {
		Reference string    `json:"reference"`
		OS        string    `json:"os"`
		Arch      string    `json:"arch"`
		Config    v1.Config `json:"config"`
	} `json:"image"`
}

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: image SPEC.json"))
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	var spec Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		fail(fmt.Errorf("reading %s: %w", os.Args[1], err))
	}
	if err := write(spec); err != nil {
		fail(fmt.Errorf("writing %s: %w", spec.Output, err))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "image:", err)
	os.Exit(1)
}

func write(spec Spec) error {
	if spec.Image == nil {
		if len(spec.Layers) != 1 {
			return fmt.Errorf("a tar has one layer, not %d", len(spec.Layers))
		}
		_, err := writeLayer(spec.Output, spec.Layers[0])
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(spec.Output), "layers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: spec.Image.OS, Architecture: spec.Image.Arch, Created: v1.Time{Time: epoch},
		RootFS: v1.RootFS{Type: "layers"}, Config: spec.Image.Config,
	})
	if err != nil {
		return err
	}
	for i, entries := range spec.Layers {
		layer, err := writeLayer(filepath.Join(scratch, fmt.Sprint(i)), entries)
		if err != nil {
			return err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: epoch}}}); err != nil {
			return err
		}
	}
	tag, err := name.NewTag(spec.Image.Reference)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(spec.Output, tag, image)
}
