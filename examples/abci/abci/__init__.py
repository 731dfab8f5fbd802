# SPDX-License-Identifier: Apache-2.0
"""What an ABCI 2.0 application in Python needs: calls with their defaults, and servers over a socket or gRPC.

Take this folder for an application of your own. The messages are CometBFT's own, compiled from its .proto files.
"""

from abci.application import Application
from abci.server import serve
from abci.store import Store

__all__ = ["Application", "Store", "serve"]
