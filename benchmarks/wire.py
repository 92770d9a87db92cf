"""A forwarder that counts what really passes between a client and a server: bytes with their headers, requests, connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

REQUEST = b" HTTP/1.1\r\n"
CHUNK = 64 * 1024


@dataclass(slots=True)
class Traffic:
    connections: int = 0
    requests: int = 0
    sent: int = 0
    received: int = 0

    @property
    def bytes(self) -> int:
        return self.sent + self.received


@dataclass(slots=True)
class Wire:
    """Listens on ``port`` and forwards to ``target`` on the same machine."""

    port: int
    target: int
    traffic: Traffic = field(default_factory=Traffic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def counted(self) -> Traffic:
        """What passed since the last call."""
        with self.lock:
            counted, self.traffic = self.traffic, Traffic()
        return counted

    @contextlib.contextmanager
    def running(self) -> Iterator[Wire]:
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            accepting.start()
            try:
                yield self
            finally:
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                accepting.join(5)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with self.lock:
            self.traffic.connections += 1
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self.target)) as server,
        ):
            upwards = threading.Thread(target=self._forward, args=(client, server, True), daemon=True)
            upwards.start()
            self._forward(server, client, upwards=False)
            upwards.join()

    def _forward(self, source: socket.socket, sink: socket.socket, upwards: bool) -> None:
        tail = b""
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                with self.lock:
                    if upwards:
                        self.traffic.sent += len(data)
                        self.traffic.requests += (tail + data).count(REQUEST)
                    else:
                        self.traffic.received += len(data)
                tail = data[-len(REQUEST) + 1 :]
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
