//go:build tools

// Package cometbft pins the command that the role builds.
package cometbft

import (
	_ "github.com/cometbft/cometbft/cmd/cometbft"
)
