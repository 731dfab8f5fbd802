// SPDX-License-Identifier: GPL-3.0-or-later
module mintnet.io/artifacts/pause

go 1.26.0
