// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"cosmossdk.io/client/v2/autocli"
	"cosmossdk.io/depinject"
	"cosmossdk.io/log/v2"
	cmtconfig "github.com/cometbft/cometbft/config"
	"github.com/cosmos/cosmos-sdk/client"
	clientconfig "github.com/cosmos/cosmos-sdk/client/config"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/client/rpc"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/version"
	authcli "github.com/cosmos/cosmos-sdk/x/auth/client/cli"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/spf13/cobra"
)

// defaultHome is where chaind keeps its files when --home names no other folder.
var defaultHome = os.ExpandEnv("$HOME/.chaind")

// newRootCmd is the command line: the node, the genesis, keys, and what the modules of the application answer and do.
func newRootCmd() (*cobra.Command, error) {
	var (
		clientCtx client.Context
		modules   module.BasicManager
		auto      autocli.AppOptions
	)
	root := &cobra.Command{
		Use:           "chaind",
		Short:         "A small Cosmos SDK chain: application and node",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return prepare(cmd, clientCtx)
		},
	}
	if err := depinject.Inject(depinject.Configs(
		appConfig,
		depinject.Supply(log.NewNopLogger(), map[string]module.AppModuleBasic{
			genutiltypes.ModuleName: genutil.NewAppModuleBasic(genutiltypes.DefaultMessageValidator),
		}),
		depinject.Provide(NewClientContext),
	), &clientCtx, &modules, &auto); err != nil {
		return root, err
	}
	root.AddCommand(
		server.StartCmd(newApp, defaultHome),
		server.StatusCommand(),
		server.NewRollbackCmd(newApp, defaultHome),
		genutilcli.InitCmd(modules, defaultHome),
		genutilcli.Commands(clientCtx.TxConfig, modules, defaultHome),
		keys.Commands(),
		version.NewVersionCommand(),
		group("query", "Ask the chain", authcli.QueryTxCmd(), authcli.QueryTxsByEventsCmd(), rpc.WaitTxCmd()),
		group("tx", "Make, sign and send transactions", authcli.GetSignCommand(), authcli.GetBroadcastCommand()),
	)
	// The modules tell what else belongs into query and tx.
	return root, auto.EnhanceRootCommand(root)
}

func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, RunE: client.ValidateCmd}
	cmd.AddCommand(commands...)
	return cmd
}

// NewClientContext is exported because depinject calls it.
func NewClientContext(
	cdc codec.Codec, registry codectypes.InterfaceRegistry, amino *codec.LegacyAmino, txConfig client.TxConfig,
) client.Context {
	return client.Context{}.
		WithCodec(cdc).
		WithInterfaceRegistry(registry).
		WithLegacyAmino(amino).
		WithTxConfig(txConfig).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithInput(os.Stdin).
		WithHomeDir(defaultHome).
		WithViper("")
}

// prepare reads flags and settings before any command. Of config.toml, app.toml and client.toml in the home folder it writes
// those that are not there.
func prepare(cmd *cobra.Command, ctx client.Context) error {
	cmd.SetOut(cmd.OutOrStdout())
	ctx, err := client.ReadPersistentCommandFlags(ctx.WithCmdContext(cmd.Context()), cmd.Flags())
	if err != nil {
		return err
	}
	if ctx, err = clientconfig.ReadFromClientConfig(ctx); err != nil {
		return err
	}
	if err = client.SetCmdClientContextHandler(ctx, cmd); err != nil {
		return err
	}
	return server.InterceptConfigsPreRunHandler(cmd, "", nil, cmtconfig.DefaultConfig())
}
