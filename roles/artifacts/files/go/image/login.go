// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// logins has those of docker login, and then those of podman login: the library looks at podman's only where docker has no file.
func logins() authn.Keychain {
	keychains := []authn.Keychain{authn.DefaultKeychain}
	for _, file := range podmanFiles() {
		keychains = append(keychains, authFile(file))
	}
	return authn.NewMultiKeychain(keychains...)
}

// podmanFiles are those that podman looks into (containers-auth.json(5)), the first of them first.
func podmanFiles() []string {
	if named := os.Getenv("REGISTRY_AUTH_FILE"); named != "" {
		return []string{named}
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		// Where there is no session, as in sudo and cron.
		runtime = fmt.Sprintf("/run/containers/%d", os.Getuid())
	} else {
		runtime = filepath.Join(runtime, "containers")
	}
	settings, err := os.UserHomeDir()
	settings = filepath.Join(settings, ".config")
	if named := os.Getenv("XDG_CONFIG_HOME"); named != "" {
		settings, err = named, nil
	}
	files := []string{filepath.Join(runtime, "auth.json")}
	if err == nil {
		files = append(files, filepath.Join(settings, "containers", "auth.json"))
	}
	return files
}

// authFile is a file that podman login writes.
type authFile string

func (f authFile) Resolve(target authn.Resource) (authn.Authenticator, error) {
	file, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return authn.Anonymous, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found, err := config.LoadFromReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	// A login may be for a part of a registry; and podman calls Docker Hub by another name than docker does.
	place := target.String()
	if rest, hub := strings.CutPrefix(place, name.DefaultRegistry); hub {
		place = "docker.io" + rest
	}
	for ; place != "."; place = path.Dir(place) {
		if login, ok := authenticator(found.AuthConfigs[place]); ok {
			return login, nil
		}
	}
	// By a program that keeps logins, if the file names one.
	kept, err := found.GetAuthConfig(target.RegistryStr())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	login, _ := authenticator(kept)
	return login, nil
}

// authenticator also says whether the entry holds a login.
func authenticator(entry types.AuthConfig) (authn.Authenticator, bool) {
	login := authn.AuthConfig{
		Username: entry.Username, Password: entry.Password, IdentityToken: entry.IdentityToken, RegistryToken: entry.RegistryToken,
	}
	if login == (authn.AuthConfig{}) {
		return authn.Anonymous, false
	}
	return authn.FromConfig(login), true
}
