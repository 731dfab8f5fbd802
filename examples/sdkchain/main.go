// SPDX-License-Identifier: Apache-2.0

// chaind is a small Cosmos SDK chain: accounts, coins and validators who stake them. The one binary holds the application
// and the CometBFT node.
package main

import (
	"os"

	servercmd "github.com/cosmos/cosmos-sdk/server/cmd"
	"github.com/cosmos/cosmos-sdk/version"
)

func main() {
	version.Name, version.AppName, version.Version = "sdkchain", "chaind", "1.0.0"
	root, err := newRootCmd()
	if err == nil {
		// CHAIND_… in the environment stands for a flag or a setting.
		err = servercmd.Execute(root, "CHAIND", defaultHome)
	}
	if err != nil {
		root.PrintErrln("Error:", err)
		os.Exit(1)
	}
}
