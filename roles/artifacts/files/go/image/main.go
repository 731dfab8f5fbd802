// SPDX-License-Identifier: GPL-3.0-or-later

// Command image puts files together, without a daemon, as a plain tar or as a container image in a docker archive.
// It reads one JSON document (type Spec) from the file that it is given. The same input gives the same bytes. It also brings the
// image of an archive to a registry.
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

// Spec says what to write: the layers as one image, or the only layer as it is when there is no image. With a base, the path of
// another image's archive, the layers come on top of its own, and what the configuration does not say is as it is there.
type Spec struct {
	Output string    `json:"output"`
	Layers [][]Entry `json:"layers"`
	Image  *struct {
		Reference string          `json:"reference"`
		Base      string          `json:"base"`
		OS        string          `json:"os"`
		Arch      string          `json:"arch"`
		Config    json.RawMessage `json:"config"`
	} `json:"image"`
}

func main() {
	if len(os.Args) == 4 && (os.Args[1] == "push" || os.Args[1] == "look") {
		if err := push(os.Args[2], os.Args[3], os.Args[1] == "look"); err != nil {
			fail(fmt.Errorf("pushing %s: %w", os.Args[3], err))
		}
		return
	}
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: image SPEC.json, or image push|look ARCHIVE REFERENCE"))
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
	image, err := begin(spec)
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

// begin gives an image with the configuration, and with the base's layers.
func begin(spec Spec) (v1.Image, error) {
	image := empty.Image
	config := &v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	if spec.Image.Base != "" {
		var err error
		if image, err = tarball.ImageFromPath(spec.Image.Base, nil); err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Image.Base, err)
		}
		if config, err = image.ConfigFile(); err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Image.Base, err)
		}
		config = config.DeepCopy()
	}
	config.OS, config.Architecture, config.Created = spec.Image.OS, spec.Image.Arch, v1.Time{Time: epoch}
	if err := json.Unmarshal(spec.Image.Config, &config.Config); err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	return mutate.ConfigFile(image, config)
}
