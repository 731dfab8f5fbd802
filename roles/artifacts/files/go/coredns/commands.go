//go:build tools

// Package coredns pins the commands that the role builds.
package coredns

import (
	_ "github.com/coredns/coredns"
)
