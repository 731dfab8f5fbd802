#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Goes on behind tm-gen-validator.sh, where the application has a container beside the node's. What it writes lies on the
# node's volume, and is its group's, as its user may be another one.
home=${CMTHOME:-/cometbft}
mkdir -p "$home/data/app"
chmod 2770 "$home/data/app"
