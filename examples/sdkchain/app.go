// SPDX-License-Identifier: Apache-2.0

package main

import (
	runtimev1 "cosmossdk.io/api/cosmos/app/runtime/v1alpha1"
	appv1 "cosmossdk.io/api/cosmos/app/v1alpha1"
	authv1 "cosmossdk.io/api/cosmos/auth/module/v1"
	bankv1 "cosmossdk.io/api/cosmos/bank/module/v1"
	consensusv1 "cosmossdk.io/api/cosmos/consensus/module/v1"
	genutilv1 "cosmossdk.io/api/cosmos/genutil/module/v1"
	stakingv1 "cosmossdk.io/api/cosmos/staking/module/v1"
	txv1 "cosmossdk.io/api/cosmos/tx/config/v1"
	"cosmossdk.io/core/appconfig"
	"cosmossdk.io/depinject"
	"cosmossdk.io/log/v2"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	_ "github.com/cosmos/cosmos-sdk/x/auth"
	_ "github.com/cosmos/cosmos-sdk/x/auth/tx/config"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	_ "github.com/cosmos/cosmos-sdk/x/bank"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	_ "github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	_ "github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	_ "github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// appConfig is the whole application: its modules, and in which order they are asked. A module of your own is a line in
// Modules, and its name in the lists where it has something to do.
var appConfig = appconfig.Compose(&appv1.Config{
	Modules: []*appv1.ModuleConfig{
		{
			Name: runtime.ModuleName,
			Config: appconfig.WrapAny(&runtimev1.Module{
				AppName:       "sdkchain",
				PreBlockers:   []string{authtypes.ModuleName},
				BeginBlockers: []string{stakingtypes.ModuleName},
				EndBlockers:   []string{stakingtypes.ModuleName, banktypes.ModuleName},
				// genutil comes last: its transactions make the validators, with coins that must be there.
				InitGenesis: []string{
					authtypes.ModuleName, banktypes.ModuleName, stakingtypes.ModuleName,
					consensustypes.ModuleName, genutiltypes.ModuleName,
				},
				OverrideStoreKeys: []*runtimev1.StoreKeyConfig{{ModuleName: authtypes.ModuleName, KvStoreKey: "acc"}},
			}),
		},
		{Name: authtypes.ModuleName, Config: appconfig.WrapAny(&authv1.Module{
			Bech32Prefix: "cosmos",
			ModuleAccountPermissions: []*authv1.ModuleAccountPermission{
				{Account: authtypes.FeeCollectorName},
				{Account: stakingtypes.BondedPoolName, Permissions: []string{authtypes.Burner, authtypes.Staking}},
				{Account: stakingtypes.NotBondedPoolName, Permissions: []string{authtypes.Burner, authtypes.Staking}},
				{Account: stakingtypes.KeyRotationFeePoolName, Permissions: []string{authtypes.Burner}},
			},
		})},
		{Name: banktypes.ModuleName, Config: appconfig.WrapAny(&bankv1.Module{})},
		{Name: stakingtypes.ModuleName, Config: appconfig.WrapAny(&stakingv1.Module{})},
		{Name: genutiltypes.ModuleName, Config: appconfig.WrapAny(&genutilv1.Module{})},
		{Name: consensustypes.ModuleName, Config: appconfig.WrapAny(&consensusv1.Module{})},
		{Name: "tx", Config: appconfig.WrapAny(&txv1.Config{})},
	},
})

// newApp is the application that the node runs, with what it has in its database.
func newApp(logger log.Logger, db dbm.DB, options servertypes.AppOptions) servertypes.Application {
	var builder *runtime.AppBuilder
	if err := depinject.Inject(depinject.Configs(appConfig, depinject.Supply(logger)), &builder); err != nil {
		panic(err)
	}
	app := builder.Build(db, server.DefaultBaseappOptions(options)...)
	if err := app.Load(true); err != nil {
		panic(err)
	}
	return app
}
