"""The simulator's process: an agent backend on ``websockets``' asyncio server.

It listens on loopback by default, and then prints one line of JSON: ``{"ready": true,
"port": ..., "pid": ..., "url": ..., "simulated": true}``.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import os
import signal
import ssl
import sys
import threading
from collections.abc import Callable

from websockets.asyncio.server import serve as websockets_server

from loadtest.errors import END_SIGNALS, ConfigError, Problem
from loadtest.simulator.admission import Admission
from loadtest.simulator.connection import SimulatedConnection
from loadtest.simulator.options import Options
from loadtest.simulator.simulation import Simulation

BACKLOG = 4096
WRITE_LIMIT = 256 * 1024
OPEN_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 2.0

COLLECTED_AFTER = 50_000
"""New objects until Python looks for cycles. A connection is some hundred of them, and none are cycles: of
10,000 connections in 7 s, looking after every 700 took a third of the time."""


def run(options: Options) -> None:
    """Serve until SIGTERM, SIGINT, ``max_ns``, or the end of standard input where that is asked for.

    Raises:
        ConfigError: a fault, the secret, the certificate or the port is wrong; nothing was served.
    """
    raise_open_files()
    asyncio.run(serve(options))


async def serve(options: Options) -> None:
    """As ``run``, in the running loop of the main thread."""
    simulation = Simulation(options, read_secret(options.jwt_secret_env))
    halt = Halt()
    tls = read_certificate(options)
    admission = Admission(simulation)
    make_connection = functools.partial(SimulatedConnection, simulation)
    listening = websockets_server(
        admission.converse,
        options.host,
        options.port,
        create_connection=make_connection,  # type: ignore[arg-type]  # typed as a class, documented as a wrapper too
        process_request=admission.before,
        process_response=admission.after,
        server_header=f"{simulation.name} (SIMULATED)",
        compression="deflate" if options.compression else None,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=CLOSE_TIMEOUT_S,
        ping_interval=None,
        max_size=options.max_message_bytes,
        write_limit=WRITE_LIMIT,
        backlog=BACKLOG,
        ssl=tls,
    )
    try:
        server = await listening
    except OSError as error:
        raise ConfigError(
            [Problem("--host, --port", f"cannot listen on {options.host}:{options.port}: {error.strerror}")]
        ) from None
    async with server:
        announce(options.host, next(iter(server.sockets)).getsockname()[1], tls=tls is not None)
        gc.freeze()
        gc.set_threshold(COLLECTED_AFTER)
        await _until_halted(simulation, halt)


async def _until_halted(simulation: Simulation, halt: Halt) -> None:
    if simulation.options.while_stdin:
        threading.Thread(target=_read_to_end, args=(halt,), daemon=True).start()
    if simulation.options.max_ns is not None:
        simulation.loop.call_later(simulation.options.max_ns / 1e9, halt)
    freezing = asyncio.create_task(_freeze(simulation, halt))
    try:
        await halt.asked.wait()
    finally:
        freezing.cancel()


class Halt:
    """Calling it ends the server; from a signal, another thread or the loop, frozen or not."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = threading.Event()
        self._loop = asyncio.get_running_loop()
        for number in END_SIGNALS:
            signal.signal(number, self._on_signal)

    def __call__(self) -> None:
        """Stop serving."""
        self.at_once.set()
        self._loop.call_soon_threadsafe(self.asked.set)

    def _on_signal(self, *_: object) -> None:
        self()


def _read_to_end(halt: Callable[[], None]) -> None:
    """Standard input ends when its other end is gone. A plain read, so that no lock is held at the exit."""
    while os.read(0, 4096):
        pass
    halt()


async def _freeze(simulation: Simulation, halt: Halt) -> None:
    """Freeze the whole process, as in a garbage collection that stops the world."""
    freeze = simulation.faults.freeze
    nth = 0
    while freeze is not None:
        nth += 1
        await asyncio.sleep(nth * freeze.every_ns / 1e9 - simulation.age_s())
        simulation.counters.count_fault("freeze", nth)
        halt.at_once.wait(freeze.for_ns / 1e9)


def announce(host: str, port: int, *, tls: bool) -> None:
    """Print the line that says where the simulator listens."""
    url = f"{'wss' if tls else 'ws'}://{f'[{host}]' if ':' in host else host}:{port}"
    line = {"ready": True, "port": port, "pid": os.getpid(), "url": url, "simulated": True}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def read_secret(name: str | None) -> str | None:
    """The JWT secret from the environment variable of this name.

    Raises:
        ConfigError: the variable is not set, or empty.
    """
    if name is None:
        return None
    secret = os.environ.get(name)
    if not secret:
        raise ConfigError([Problem("--jwt-secret-env", f'the environment variable "{name}" is not set')])
    return secret


def read_certificate(options: Options) -> ssl.SSLContext | None:
    """The TLS context of ``--cert`` and ``--key``, None without them.

    Raises:
        ConfigError: a file is missing, or is not a certificate or its key.
    """
    if options.cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.cert, options.key)
    except OSError as error:  # ssl.SSLError is one
        sentence = f"{options.cert} and {options.key} cannot be used: {error.strerror or error}"
        raise ConfigError([Problem("--cert, --key", sentence)]) from None
    return context


def raise_open_files() -> None:
    """Lift the soft limit of open files to the hard one, where the system has such limits."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # macOS refuses an unlimited hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 10_240), hard))
