//go:build tools

// Package etcdutl pins the command that a test builds.
package etcdutl

import (
	_ "go.etcd.io/etcd/etcdutl/v3"
)
