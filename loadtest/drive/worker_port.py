"""The port where workers join a run: Locust's ZeroMQ sockets, which take nothing from strangers.

With a key, which all machines of a run share, both sides speak CURVE: messages are encrypted, and whoever
does not have the key gets no answer at all, not even the plan that a newcomer is sent. The key pairs are made
of the shared key, so the server's public key, without which no handshake begins, is as secret as that key.

Without a key only processes of this machine are taken.

Locust's own listener ends for good at a message that it cannot read, and then no worker is heard again. Here
such a message is dropped, and which worker sent a message is told by its connection, not by its own word.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import zmq.green as zmq
from typing_extensions import override
from zmq.utils import z85

from loadtest.drive.locust_import import Message, RPCError, RPCReceiveError, RPCSendError, zmqrpc
from loadtest.measure.interval import MAX_INTERVAL_BYTES
from loadtest.plan.addresses import is_loopback

logger = logging.getLogger(__name__)

MAX_PLAN_BYTES = 2 * MAX_INTERVAL_BYTES
"""Bytes of one message; a peer that sends more is cut off before they are in memory."""

RETRIES_S = (1.0, 3.0, 5.0)
"""Seconds between tries to send, as in Locust, which would log a traceback at each."""

_SALT = b"loadtest: the port of the workers"

_Shape = Callable[[Any], bool]


def _is_counts(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("user_classes_count"), dict)


def _is_heartbeat(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and isinstance(data.get("state"), str)
        and isinstance(data.get("current_cpu_usage"), int | float)
    )


def _is_stats(data: Any) -> bool:
    return _is_counts(data) and all(
        isinstance(data.get(name), kind)
        for name, kind in (("stats", list), ("stats_total", dict), ("errors", dict))
    )


def _is_logs(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and isinstance(data.get("worker_id"), str)
        and isinstance(data.get("logs"), list)
    )


def _is_exception(data: Any) -> bool:
    return isinstance(data, dict) and all(isinstance(data.get(name), str) for name in ("msg", "traceback"))


def _is_nothing(data: Any) -> bool:
    return data is None


SHAPES: Mapping[str, _Shape] = {
    "client_ready": lambda data: isinstance(data, str) or data == -1,
    "client_stopped": _is_nothing,
    "quit": _is_nothing,
    "spawning": _is_nothing,
    "spawning_complete": _is_counts,
    "heartbeat": _is_heartbeat,
    "stats": _is_stats,
    "logs": _is_logs,
    "exception": _is_exception,
    "locustfile": lambda data: isinstance(data, dict) and isinstance(data.get("version"), str),
}
"""Messages that Locust's master takes from a worker, and whether their data is as it expects."""

# Locust has no annotations there.
_rpc: Any = zmqrpc
_unserialize: Callable[[bytes], Any] = Message.unserialize

OURS = "lt_"
"""How the messages begin that are ours; Locust's master survives what their listeners raise."""


def guard(key: str | None) -> None:
    """From now on Locust's runners of this process listen and connect by the rules of this module."""
    pairs = None if key is None else _key_pairs(key)
    GuardedServer.pairs = GuardedClient.pairs = pairs
    _rpc.Server, _rpc.Client = GuardedServer, GuardedClient


_Pair = tuple[bytes, bytes]
"""The public and the secret half."""


def _key_pairs(key: str) -> tuple[_Pair, _Pair]:
    """The pairs of master and workers, which are the same for the same key."""
    made = hashlib.scrypt(key.encode("utf-8", "surrogateescape"), salt=_SALT, n=2**14, r=8, p=1, dklen=64)
    secrets = (z85.encode(made[:32]), z85.encode(made[32:]))
    master, worker = ((zmq.curve_public(secret), secret) for secret in secrets)
    return master, worker


class GuardedServer(zmqrpc.Server):
    """The master's socket."""

    pairs: tuple[_Pair, _Pair] | None = None

    def __init__(self, host: str, port: int) -> None:
        _rpc.BaseSocket.__init__(self, zmq.ROUTER, self.ipv4_only(host, port))
        self._told: set[str] = set()
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_PLAN_BYTES)
        if self.pairs is not None:
            (self.socket.curve_publickey, self.socket.curve_secretkey), _ = self.pairs
            self.socket.curve_server = True
        try:
            self.socket.bind(_place(host, port or "*"))
        except zmq.ZMQError as error:
            raise RPCError(f"Socket bind failure: {error}") from None
        self.port = int(str(self.socket.getsockopt_string(zmq.LAST_ENDPOINT)).rpartition(":")[2])

    @override
    def recv_from_client(self) -> tuple[str, Any]:
        """The next message that a worker can have sent; others are dropped.

        Raises:
            RPCError: the socket itself is broken.
        """
        while True:
            try:
                frames = self.socket.recv_multipart(copy=False)
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            peer = _peer(frames)
            if self.pairs is None and not is_loopback(peer):
                self._warn_once(
                    f"refused the worker {peer}: workers on other machines need a key; set --key-env or"
                    " LOADTEST_KEY_ENV on all machines"
                )
                continue
            if (message := _message(frames)) is not None:
                return message.node_id, message
            self._warn_once(f"dropped a message from {peer}, which is no worker of this run")

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._told and len(self._told) < 100:
            self._told.add(sentence)
            logger.warning("%s", sentence)


class GuardedClient(zmqrpc.Client):
    """A worker's socket."""

    pairs: tuple[_Pair, _Pair] | None = None

    def __init__(self, host: str, port: int, identity: str) -> None:
        _rpc.BaseSocket.__init__(self, zmq.DEALER, self.ipv4_only(host, port))
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_PLAN_BYTES)
        if self.pairs is not None:
            (master, _), (self.socket.curve_publickey, self.socket.curve_secretkey) = self.pairs
            self.socket.curve_serverkey = master
        self.socket.connect(_place(host, port))

    @override
    def send(self, msg: Any) -> None:
        """Send a message, now or within some seconds.

        Raises:
            RPCSendError: the master is not there, or does not speak with us.
        """
        for delay_s in (*RETRIES_S, None):
            try:
                self.socket.send(msg.serialize(), zmq.NOBLOCK)
            except zmq.ZMQError as error:
                if delay_s is None:
                    raise RPCSendError("ZMQ sent failure") from error
                gevent.sleep(delay_s)
            else:
                return

    @override
    def recv(self) -> Any:
        """The next message.

        Raises:
            RPCError: the socket is broken, or this is no message.
        """
        try:
            return _unserialize(self.socket.recv())
        except zmq.ZMQError as error:
            raise RPCError("ZMQ network broken") from error
        except Exception as error:
            raise RPCReceiveError("ZMQ interrupted or corrupted message") from error


def _place(host: str, port: object) -> str:
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _peer(frames: list[Any]) -> str:
    """The address that a message came from; empty where the transport does not say."""
    try:
        return str(frames[-1].get("Peer-Address"))
    except zmq.ZMQError:
        return ""


def _message(frames: list[Any]) -> Any:
    """The message, if it is one that Locust's master can take; else None."""
    if len(frames) != 2:
        return None
    sender, data = (bytes(frame.buffer) for frame in frames)
    try:
        message = _unserialize(data)
        message.node_id = sender.decode()
        known = message.type.startswith(OURS) or SHAPES[message.type](message.data)
    # Whatever a stranger sends: msgpack, and what is made of it, raise errors of many kinds.
    except Exception:
        return None
    return message if known else None
