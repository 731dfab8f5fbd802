// SPDX-License-Identifier: GPL-3.0-or-later
module mintnet.io/tests/registry

go 1.26.0

require github.com/google/go-containerregistry v0.22.1
