//go:build tools

// Package etcd pins the commands that the role builds.
package etcd

import (
	_ "go.etcd.io/etcd/server/v3"
)
