"""Addresses, durations and sizes as people write them, and the error when they write something else."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from collector.errors import InvalidValue
from collector.settings import Address, default_database, demo_database, human_bytes, parse_bytes, parse_duration_ns


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:4318", Address("127.0.0.1", 4318), True),
        ("localhost:1", Address("localhost", 1), True),
        ("4318", Address("127.0.0.1", 4318), True),
        (":4318", Address("127.0.0.1", 4318), True),
        ("[::1]:4318", Address("::1", 4318), True),
        ("0.0.0.0:0", Address("0.0.0.0", 0), False),
        ("[::]:4318", Address("::", 4318), False),
        ("collector.internal:4318", Address("collector.internal", 4318), False),
    ],
)
def test_an_address_is_read(text: str, address: Address, loopback: bool) -> None:
    parsed = Address.parse(text, "--http")
    assert (parsed, parsed.is_loopback) == (address, loopback)
    assert Address.parse(parsed.netloc, "--http") == parsed


@pytest.mark.parametrize("text", ["", "host", "host:", "host:port", "127.0.0.1:70000", "127.0.0.1:-1"])
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"--grpc .*HOST:PORT"):
        Address.parse(text, "--grpc")


def test_a_taken_port_names_the_option_and_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(InvalidValue, match=rf"port {address.port} .*taken.* --http 127\.0\.0\.1:\d+"):
            address.bind("--http")
        with pytest.raises(InvalidValue, match=r"choose another with --port \d+,"):
            address.bind("--port")


def test_durations_and_sizes() -> None:
    assert [parse_duration_ns(text, "x") for text in ("30d", "1.5h", "45s", "90m", "250ms")] == [
        2_592_000 * 10**9,
        5_400 * 10**9,
        45 * 10**9,
        5_400 * 10**9,
        250 * 10**6,
    ]
    assert [parse_bytes(text, "x") for text in ("2GB", "1.5 GiB", "500mb", "1048576", "64MiB", "10k")] == [
        2 * 10**9,
        1_610_612_736,
        500 * 10**6,
        1_048_576,
        64 * 2**20,
        10_000,
    ]
    assert [human_bytes(size) for size in (0, 999, 1_234, 5_600_000, 7 * 10**12)] == ["0 B", "999 B", "1.2 kB", "5.6 MB", "7.0 TB"]


@pytest.mark.parametrize("text", ["", "d", "-3d", "3 months", "3d4h", "NaN"])
def test_what_is_no_duration_or_size_is_named(text: str) -> None:
    with pytest.raises(InvalidValue, match="30d"):
        parse_duration_ns(text, "--retain-age")
    with pytest.raises(InvalidValue, match="2GB"):
        parse_bytes(text, "--retain-size")


def test_the_demo_has_a_file_of_its_own_beside_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_database() != demo_database()
    assert Path(default_database()).parent == Path(demo_database()).parent
    assert Path(default_database()).parts[-2:] == ("rightpassage", "traces.db")
