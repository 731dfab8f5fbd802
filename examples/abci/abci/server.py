# SPDX-License-Identifier: Apache-2.0
"""Serves an application, over a socket (unix or TCP) or gRPC.

CometBFT opens four connections. All calls are answered in one thread, in the order in which they come, so that an
application needs no locks. When a call fails, the application ends: CometBFT ends with it, and gives it all blocks
again that it had not committed. To go on after a failure could make it differ from the others.
"""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError
from tendermint.abci import types_pb2, types_pb2_grpc

from abci.application import Application

#: The longest message that CometBFT sends (abci/types/messages.go).
MAX_MESSAGE = 104_857_600

log = logging.getLogger("abci")


class ProtocolError(Exception):
    """The other side does not speak ABCI 2.0's socket protocol."""


def serve(application: Application, address: str, *, over_grpc: bool = False) -> None:
    """Answers calls until SIGTERM or SIGINT, or until a call fails, which ends the process with code 1.

    The address is unix:///PATH or tcp://HOST:PORT.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a cause may hold what is no UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format="%(levelname).1s %(message)s", stream=sys.stdout)
    try:
        asyncio.run(_serve(application, address, over_grpc))
    except _CallError as failure:
        cause = failure.__cause__
        log.error("%s failed, and the application ends: %s", failure.call, cause, exc_info=cause)
        sys.exit(1)


class _CallError(Exception):
    def __init__(self, call: str) -> None:
        super().__init__(call)
        self.call = call

    @property
    def said(self) -> str:
        """For the node. What is no UTF-8 in it is spelled out, as it could not be sent."""
        return f"{self.call}: {self.__cause__}".encode(errors="backslashreplace").decode()


class _Calls:
    """The way from a call's name to the application; its first failure is the last call."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def answer(self, name: str, request: Any) -> Any:
        try:
            method: Callable[[Any], Any] = getattr(self._application, name)
            return method(request)
        except Exception as cause:
            failure = _CallError(name)
            failure.__cause__ = cause
            if not self.ended.done():
                self.ended.set_exception(failure)
            raise failure from cause


async def _serve(application: Application, address: str, over_grpc: bool) -> None:
    calls = _Calls(application)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, calls.stop)
    parts = urlsplit(address)
    if over_grpc:
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_MESSAGE),
                ("grpc.so_reuseport", 0),
            ]
        )
        types_pb2_grpc.add_ABCIServicer_to_server(_servicer(calls), server)
        server.add_insecure_port(f"unix:{parts.path}" if parts.scheme == "unix" else parts.netloc)
        await server.start()
        log.info("listening on %s, gRPC", address)
        try:
            await calls.ended
        finally:
            await server.stop(grace=0.1)
        return

    connections: dict[asyncio.Task[Any] | None, asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections[asyncio.current_task()] = writer
        await _connection(calls, reader, writer)
        del connections[asyncio.current_task()]

    if parts.scheme == "unix":  # a socket that was left behind is replaced
        listening = await asyncio.start_unix_server(connected, parts.path)
    else:
        listening = await asyncio.start_server(connected, parts.hostname, parts.port)
    log.info("listening on %s", address)
    try:
        await calls.ended
    finally:
        listening.close()
        for writer in connections.values():  # a node does not close its connections before
            writer.close()
        if connections:  # what is left of them would be the application's last words
            await asyncio.wait([task for task in connections if task], timeout=1)


def _servicer(calls: _Calls) -> types_pb2_grpc.ABCIServicer:
    """gRPC's names of the calls are those of the socket's messages in another case."""

    def method(name: str) -> Callable[..., Any]:
        async def answer(_self: Any, request: Any, context: grpc.aio.ServicerContext) -> Any:
            try:
                return calls.answer(name, request)
            except _CallError as failure:
                await context.abort(grpc.StatusCode.INTERNAL, failure.said)

        return answer

    service = types_pb2.DESCRIPTOR.services_by_name["ABCI"]
    names = {each.input_type.name: each.name for each in service.methods}
    members = types_pb2.Request.DESCRIPTOR.oneofs_by_name["value"].fields
    methods = {names[field.message_type.name]: method(field.name) for field in members}
    return type("Servicer", (types_pb2_grpc.ABCIServicer,), methods)()


async def _connection(calls: _Calls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while (message := await _read(reader)) is not None:
            _write(writer, _response(calls, message))
            await writer.drain()
    except ProtocolError as error:
        log.error("closing a connection: %s", error)
    except ConnectionError:
        pass  # the node has ended; the next one connects anew
    except _CallError as failure:
        _write(writer, types_pb2.Response(exception={"error": failure.said}))
    finally:
        writer.close()


def _response(calls: _Calls, message: bytes) -> types_pb2.Response:
    try:
        request = types_pb2.Request.FromString(message)
    except DecodeError as error:
        raise ProtocolError(f"{len(message)} bytes are no request of ABCI") from error
    name = request.WhichOneof("value")
    if name is None:
        raise ProtocolError("a request without a call, as of another version of ABCI than 2.0")
    return types_pb2.Response(**{name: calls.answer(name, getattr(request, name))})


# The socket protocol: each message behind its length as a varint (protobuf's delimited messages).


async def _read(reader: asyncio.StreamReader) -> bytes | None:
    """None at the end, between two messages."""
    length = shift = 0
    while True:
        byte = await reader.read(1)
        if not byte:
            if shift:
                raise ProtocolError("the connection ended within a message")
            return None
        length |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            break
        shift += 7
        if shift > 28:
            raise ProtocolError("what comes is not the length of a message")
    if length > MAX_MESSAGE:
        raise ProtocolError(f"a message of {length} bytes, {MAX_MESSAGE} are allowed")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise ProtocolError("the connection ended within a message") from error


def _write(writer: asyncio.StreamWriter, response: types_pb2.Response) -> None:
    message = response.SerializeToString()
    length, prefix = len(message), bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    writer.write(bytes(prefix) + message)
