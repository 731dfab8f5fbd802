//go:build tools

// Package provisioner pins the commands that the role builds.
package provisioner

import (
	_ "github.com/rancher/local-path-provisioner"
)
