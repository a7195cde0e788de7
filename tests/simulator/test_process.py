from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import ConfigError
from loadtest.simulator.process import Simulator, SimulatorError, _why_it_ended

Start = Callable[..., Simulator]
Join = Callable[..., Any]


@contextmanager
def serve(*arguments: str, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The simulator started by hand; killed by its own handle where the test did not end it."""
    command = [sys.executable, "-m", "loadtest.simulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings) as child:
        try:
            yield child
        finally:
            child.kill()


def test_it_listens_on_loopback_alone_and_stops(join: Join) -> None:
    with Simulator.start() as simulator:
        assert simulator.url == f"ws://127.0.0.1:{simulator.port}"
        assert len(join(simulator).turn("run-1")) == 7
        assert simulator.alive
    assert not simulator.alive
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", simulator.port), timeout=60)
    simulator.stop()
    with pytest.raises(SimulatorError, match="it said nothing"):
        simulator.stats()


def test_an_interrupt_of_our_process_group_does_not_reach_it(honest: Simulator) -> None:
    assert os.getpgid(honest.pid) != os.getpgid(0)


def test_it_stops_when_the_test_fails() -> None:
    simulator = Simulator.start()
    with pytest.raises(ZeroDivisionError), simulator:
        raise ZeroDivisionError
    assert not simulator.alive


def test_it_stops_although_it_is_frozen() -> None:
    simulator = Simulator.start(faults=["freeze=3s,2990ms"])
    time.sleep(3.05)  # now it stands still
    began = time.monotonic()
    simulator.stop()
    assert time.monotonic() - began < 2
    assert not simulator.alive


def test_a_wrong_fault_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ConfigError, match='did you mean "drop=P'):
        Simulator.start(faults=["dorp=0.1"])


def test_each_mistake_that_the_process_tells_is_one_of_its_own() -> None:
    """So that each stands on a line of its own."""
    told = b"--a: is wrong\n--b: is wrong\n"
    with tempfile.TemporaryFile() as words, subprocess.Popen([sys.executable, "-c", "exit(2)"]) as child:
        words.write(told)
        error = _why_it_ended(child, words)
    assert isinstance(error, ConfigError)
    assert [str(each) for each in error.problems] == ["--a: is wrong", "--b: is wrong"]
    assert "said nothing" in str(_why_it_ended(child, words))


def test_a_missing_secret_is_a_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    with pytest.raises(ConfigError, match='"NO_SUCH_SECRET" is not set'):
        Simulator.start(jwt_secret_env="NO_SUCH_SECRET")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has 127.0.0.1 alone")
def test_another_address_is_listened_on_only_where_it_is_asked_for(honest: Simulator) -> None:
    with Simulator.start(host="127.0.0.2") as elsewhere:
        assert elsewhere.url == f"ws://127.0.0.2:{elsewhere.port}"
        socket.create_connection(("127.0.0.2", elsewhere.port), timeout=60).close()
        assert elsewhere.health()["simulated"] is True
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", honest.port), timeout=60)


def test_a_port_in_use_is_a_mistake_of_the_user(honest: Simulator) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{honest.port}"):
        Simulator.start(port=honest.port)


def test_a_simulator_that_is_gone_gives_no_stats(start: Start) -> None:
    simulator = start()
    os.kill(simulator.pid, signal.SIGKILL)
    with pytest.raises(SimulatorError, match=r"gives no answer|ended with code -9"):
        ask_until_it_fails(simulator)


def ask_until_it_fails(simulator: Simulator) -> None:
    while simulator.stats():
        pass


def test_a_missing_certificate_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        Simulator.start(cert=tmp_path / "none.pem", key=tmp_path / "none.key")


def test_it_speaks_tls(start: Start, join: Join, certificate: tuple[Path, Path]) -> None:
    import ssl

    cert, key = certificate
    simulator = start(cert=cert, key=key)
    assert simulator.url.startswith("wss://")
    trusted = ssl.create_default_context(cafile=cert)
    assert len(join(simulator, ssl=trusted).turn("run-1")) == 7
    assert simulator.stats()["turns"]["completed"] == 1


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "simulator")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unlocked = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unlocked)
    (folder / "key.pem").write_bytes(text)
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_zero(number: signal.Signals) -> None:
    with serve() as child:
        assert child.stdout is not None
        assert b'"ready": true' in child.stdout.readline()
        child.send_signal(number)
        assert child.wait(60) == 0


def test_it_ends_when_its_parent_dies() -> None:
    with serve("--while-stdin", stdin=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(60) == 0


def test_it_ends_when_its_time_is_over() -> None:
    with serve("--max-time", "100ms") as child:
        assert child.wait(60) == 0


def test_a_mistake_on_the_command_line_ends_with_two() -> None:
    with serve("--fault", "drop=7") as child:
        out, error = child.communicate(timeout=60)
        assert (child.returncode, out) == (2, b"")
        assert error.startswith(b"--fault: ")
        assert b"Traceback" not in error


def test_it_works_in_a_process_that_gevent_patched() -> None:
    program = (
        "from gevent import monkey; monkey.patch_all()\n"
        "from loadtest.simulator.process import Simulator\n"
        "with Simulator.start(faults=['no-seq']) as simulator:\n"
        "    print(simulator.stats()['faults'])\n"
        "print(simulator.alive)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.split() == ["['no-seq']", "False"]
