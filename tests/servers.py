"""Servers on loopback: one that holds a small model, one that may break every rule."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np

WEIGHTS = np.random.default_rng(0).normal(size=(784, 10)) / 3
Answer = Callable[[int, list[Any]], tuple[int, str, bytes]]  # number of the call, images → status, content-type, body


def scores(images: list[Any]) -> np.ndarray:
    """What the server's model says: a softmax regression of random weights."""
    sums = np.array(images).reshape(len(images), -1) @ WEIGHTS
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def well(images: list[Any], key: str = "predictions") -> tuple[int, str, bytes]:
    """A sound answer."""
    return 200, "application/json", json.dumps({key: scores(images).tolist()}).encode()


class Server:
    """A server whose answers a function gives; counts its calls."""

    def __init__(self) -> None:
        self.answer: Answer = lambda number, images: well(images)
        self.sizes: list[int] = []
        self.headers: dict[str, str] = {}  # of the last call
        self.extra: dict[str, str] = {}  # more headers of its answers
        self.begun: list[float] = []  # when each call came, by time.monotonic()
        self.pause = 0.0  # before each thousand bytes
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                images = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
                outer.begun.append(time.monotonic())
                outer.sizes.append(len(images))
                outer.headers = {name.lower(): value for name, value in self.headers.items()}
                status, kind, body = outer.answer(len(outer.sizes), images)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                for name, value in outer.extra.items():
                    self.send_header(name, value)
                self.end_headers()
                for at in range(0, len(body), 1000 if outer.pause else len(body) or 1):
                    if outer.pause:
                        time.sleep(outer.pause)
                    self.wfile.write(body[at : at + 1000] if outer.pause else body)

            def log_message(self, *words: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/predict"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def drain(connection: socket.socket) -> None:
    """Takes what the client still sends: closing before would reset the connection, and the client might miss the answer."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(0.5)
    while connection.recv(1 << 16):
        pass


class RawServer:
    """A server that treats each connection by a function, which may break every rule of HTTP."""

    def __init__(self, treat: Callable[[socket.socket, threading.Event], None]) -> None:
        self.treat, self.ends = treat, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.02)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/predict"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        """Treats connections one after the other."""
        while not self.ends.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self.listener.accept()
                with connection, contextlib.suppress(OSError):
                    self.treat(connection, self.ends)
                    drain(connection)

    def stop(self) -> None:
        self.ends.set()
        self.thread.join()
        self.listener.close()
