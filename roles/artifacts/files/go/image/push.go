// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// push brings the image of an archive to a registry, as whoever docker login or podman login has logged in there, and says
// whether it was there already; one that only looks does no more than that. A registry on localhost is spoken to without TLS.
//
// A tag says of what its image was built, so one that is there is left as it is: built again, the same may have other bytes,
// and pods that start later would run other ones than those that run.
func push(archive, reference string, looks bool) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return err
	}
	auth := remote.WithAuthFromKeychain(logins())
	if _, err := remote.Head(tag, auth); err == nil {
		fmt.Println("present")
		return nil
	}
	if looks {
		fmt.Println("absent")
		return nil
	}
	image, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		return err
	}
	if err := remote.Write(tag, image, auth); err != nil {
		return err
	}
	fmt.Println("pushed")
	return nil
}
