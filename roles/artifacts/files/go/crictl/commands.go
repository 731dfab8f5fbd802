//go:build tools

// Package crictl pins the commands that the role builds.
package crictl

import (
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
)
