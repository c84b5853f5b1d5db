"""One time limit for all of a call to a server.

httpx's limits are per operation: a server that sends a byte now and then, or interim answers (1xx), would never meet them.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from ssl import SSLContext
from threading import Event, Thread
from typing import Any

import httpcore
import httpx

PIECE = 1 << 14  # bytes sent between two looks at the clock
END: ContextVar[float] = ContextVar("END")  # when the call in progress must be over, by time.monotonic()


def remaining(late: type[Exception], limit: float | None = None) -> float:
    """Seconds that are left to the call in progress, at most `limit`. Raises `late` if none are."""
    seconds = END.get() - time.monotonic()
    if seconds <= 0:
        raise late("")
    return seconds if limit is None else min(seconds, limit)


def bounded_client(timeout: float) -> httpx.Client:
    """A client whose calls, from the search for the address to the last byte, end after `timeout` seconds."""
    client = httpx.Client(timeout=timeout)
    for transport in (client._transport, *client._mounts.values()):  # mounts: proxies named in the environment
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = BoundedBackend(transport._pool._network_backend)
    return client


class BoundedBackend(httpcore.NetworkBackend):
    """Connections that are made, and then work, within the time that is left to the call."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self.backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection. It is made in a thread, as nothing ends the search for an address early."""
        seconds, late = remaining(httpcore.ConnectTimeout, timeout), Event()
        results: SimpleQueue[httpcore.NetworkStream | Exception] = SimpleQueue()

        def connect() -> None:
            try:
                stream = self.backend.connect_tcp(host, port, seconds, local_address, socket_options)
            except Exception as error:
                results.put(error)
                return
            if late.is_set():
                stream.close()
            results.put(stream)

        Thread(target=connect, daemon=True).start()
        try:
            result = results.get(timeout=seconds)
        except Empty:
            late.set()
            with suppress(Empty):
                result = results.get_nowait()
                if isinstance(result, httpcore.NetworkStream):
                    result.close()
            raise httpcore.ConnectTimeout("") from None
        if isinstance(result, Exception):
            raise result
        return BoundedStream(result)


class BoundedStream(httpcore.NetworkStream):
    """A connection whose every operation ends when the call must."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self.stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Bytes that have arrived."""
        return self.stream.read(max_bytes, remaining(httpcore.ReadTimeout, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends bytes."""
        for first in range(0, len(buffer), PIECE):
            self.stream.write(buffer[first : first + PIECE], remaining(httpcore.WriteTimeout, timeout))

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The connection, encrypted."""
        seconds = remaining(httpcore.ConnectTimeout, timeout)
        return BoundedStream(self.stream.start_tls(ssl_context, server_hostname, seconds))

    def close(self) -> None:
        """Ends the connection."""
        self.stream.close()

    def get_extra_info(self, info: str) -> Any:
        """Such as the socket, which tells whether a kept connection is still open."""
        return self.stream.get_extra_info(info)
