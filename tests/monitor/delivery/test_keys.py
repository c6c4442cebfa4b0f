"""Who may read the stream: keys that are allowed, others, none, revoked ones, and a connection that is played again."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import QUICK, assert_one_error, make_weights, run_here, settings, start_monitor, turning_call, write_wav
from test_delivery import LIMIT_S, Publisher, numbers, settle, take

from monitor.config.schema import Config
from monitor.delivery import keys, zap
from monitor.errors import BadInputError
from monitor.sinks.registry import open_sinks
from monitor.subscriber import Item, Message, Refused, Subscriber

pytestmark = pytest.mark.realtime


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The publisher's keys, those of anna and ben, who are allowed, and of eve, who is not."""
    made = tmp_path / "keys"
    for name in ("server", "anna", "ben", "eve"):
        keys.new(made, name)
    for name in ("anna", "ben"):
        keys.allow(made, str(made / f"{name}.key"))
    return made


def connect(publisher: Publisher, folder: Path, name: str) -> Subscriber:
    pair = keys.secret_pair(folder / f"{name}.key_secret")
    return Subscriber(publisher.address, server_key=keys.server(folder).public, keys=pair)


def until_refused(items: list[Item]) -> bool:
    return any(isinstance(item, Refused) for item in items)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_secret_files_are_their_owners_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        keys.new(folder.parent / "open", "server")
    finally:
        os.umask(before)
    for home in (folder, folder.parent / "open"):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        for secret in home.glob("*.key_secret"):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    secret = folder / "anna.key_secret"
    secret.chmod(0o640)
    with pytest.raises(BadInputError, match="others can read the secret"):
        keys.secret_pair(secret)


def test_commands_about_keys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    at = ("--keys", tmp_path / "k")
    assert_one_error(run_here(capfd, "keys", "list", *at), "there is no", "monitor keys new")
    for words in (("new",), ("new", "anna"), ("allow", tmp_path / "k" / "anna.key")):
        assert run_here(capfd, "keys", *words, *at).status == 0
    assert "anna    " in run_here(capfd, "keys", "list", *at).out
    assert_one_error(run_here(capfd, "keys", "new", "anna", *at), "is there already")
    assert_one_error(run_here(capfd, "keys", "new", "../x", *at), "is not a valid key name")
    assert_one_error(run_here(capfd, "keys", "allow", "nonsense", *at), "key nonsense")
    assert run_here(capfd, "keys", "revoke", "anna", *at).status == 0
    assert_one_error(run_here(capfd, "keys", "revoke", "anna", *at), "is not allowed")
    assert "anna" not in run_here(capfd, "keys", "list", *at).out


def test_an_allowed_key_reads_and_fetches(folder: Path) -> None:
    with Publisher(keys=str(folder), high_water_mark=10) as publisher, connect(publisher, folder, "anna") as anna:
        settle(anna)
        publisher.say(500, filler="x" * 20_000)
        assert numbers(take(anna, lambda items: 500 in numbers(items))) == list(range(1, 501))


def test_a_key_that_is_not_allowed_and_none_are_refused_and_counted_and_the_others_feel_nothing(folder: Path) -> None:
    with Publisher(keys=str(folder)) as publisher, connect(publisher, folder, "anna") as anna:
        settle(anna)
        with connect(publisher, folder, "eve") as eve, Subscriber(publisher.address) as nobody:
            (refused,) = take(eve, until_refused)
            assert refused == Refused(publisher.address, "this key is not allowed, or was revoked")
            (refused,) = take(nobody, until_refused)
            assert isinstance(refused, Refused)
            assert "--server-key" in refused.reason
            publisher.say(5)
            assert numbers(take(anna, lambda items: len(items) == 5)) == [1, 2, 3, 4, 5]
            assert not eve.has_received
            assert not nobody.has_received
        counted = publisher.sink._sockets.refused
        wait_for(lambda: counted["key not allowed"] > 0 and counted["handshake"] > 0)


def test_a_revoked_key_is_dropped_while_connected_and_the_others_lose_nothing(folder: Path) -> None:
    with (
        Publisher(keys=str(folder)) as publisher,
        connect(publisher, folder, "anna") as anna,
        connect(publisher, folder, "ben") as ben,
    ):
        settle(anna)
        settle(ben)
        publisher.say(1)
        assert numbers(take(ben, lambda items: bool(numbers(items)))) == [1]
        keys.revoke(folder, "ben")
        wait_for(lambda: publisher.sink._sockets.refused["revoked"] == 1)
        publisher.say(50)
        assert numbers(take(ben, until_refused)) == []
        assert numbers(take(anna, lambda items: 51 in numbers(items))) == list(range(1, 52))
        keys.allow(folder, str(folder / "ben.key"))
        publisher.say(1)
        assert numbers(take(ben, lambda items: 52 in numbers(items))) == list(range(2, 53))


def test_a_connection_that_is_played_again_is_refused(folder: Path) -> None:
    """Everything that an allowed subscriber ever sent, byte for byte, on a new connection."""
    with Publisher(keys=str(folder)) as publisher, socket.create_server(("127.0.0.1", 0)) as tap:
        host, _, port = publisher.address.removeprefix("tcp://").rpartition(":")
        spoken = bytearray()

        def pass_on() -> None:
            near, _ = tap.accept()
            with near, socket.create_connection((host, int(port))) as far:
                back = threading.Thread(target=copy, args=(far, near, bytearray()), daemon=True)
                back.start()
                copy(near, far, spoken)

        relay = threading.Thread(target=pass_on, daemon=True)
        relay.start()
        pair = keys.secret_pair(folder / "anna.key_secret")
        through = f"tcp://127.0.0.1:{tap.getsockname()[1]}"
        with Subscriber(through, server_key=keys.server(folder).public, keys=pair) as anna:
            settle(anna)
        relay.join(LIMIT_S)
        assert len(spoken) > 500
        before = publisher.sink._sockets.refused["handshake"]
        with socket.create_connection((host, int(port)), LIMIT_S) as again:
            again.sendall(spoken)
            again.settimeout(LIMIT_S)
            heard = drained(again)
        assert b"alert" not in heard
        assert b"health" not in heard
        wait_for(lambda: publisher.sink._sockets.refused["handshake"] > before)


def copy(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    try:
        while data := source.recv(65_536):
            kept += data
            target.sendall(data)
    except OSError:
        return


def drained(connection: socket.socket) -> bytes:
    heard = b""
    try:
        while data := connection.recv(65_536):
            heard += data
    except ConnectionResetError:
        pass
    return heard


@pytest.mark.parametrize("setting", ["address", "replay_address"])
def test_beyond_this_machine_only_with_keys_or_the_users_word(setting: str, folder: Path) -> None:
    def opened(**zeromq: object) -> None:
        settings = {"address": "tcp://127.0.0.1:*", "replay_address": "tcp://127.0.0.1:*", setting: "tcp://0.0.0.0:*"}
        for sink in open_sinks(Config.model_validate({"zeromq": settings | zeromq}), "epoch"):
            sink.close()

    with pytest.raises(BadInputError, match=f"zeromq.{setting}: 0.0.0.0 can be reached") as caught:
        opened()
    assert "monitor keys new" in caught.value.hint
    opened(insecure=True)
    opened(keys=str(folder))
    with pytest.raises(BadInputError, match="there is no"):
        opened(keys=str(folder / "nowhere"))


@pytest.mark.parametrize(
    ("frames", "status"),
    [
        ([b"1.0", b"7", b"monitor", b"127.0.0.1", b"", b"CURVE", b"k" * 32], zap.OK),
        ([b"1.0", b"7", b"monitor", b"127.0.0.1", b"", b"CURVE", b"j" * 32], zap.REFUSED),
        ([b"1.0", b"7", b"monitor", b"127.0.0.1", b"", b"NULL"], zap.REFUSED),
        ([b"1.0", b"7", b"monitor", b"127.0.0.1", b"", b"PLAIN", b"k" * 32], zap.REFUSED),
        ([b"1.0", b"7", b"another", b"127.0.0.1", b"", b"CURVE", b"k" * 32], zap.REFUSED),
        ([b"2.0", b"7", b"monitor", b"127.0.0.1", b"", b"CURVE", b"k" * 32], zap.REFUSED),
        ([b"1.0", b"7"], zap.REFUSED),
    ],
)
def test_who_is_let_in(frames: list[bytes], status: bytes) -> None:
    answer = zap.answer(frames, {b"k" * 32})
    assert answer is not None
    assert (answer[1], answer[2]) == (b"7", status)
    assert zap.answer([], {b"k" * 32}) is None


def test_messages_of_an_encrypted_stream_are_the_same(folder: Path) -> None:
    with Publisher(keys=str(folder)) as publisher, connect(publisher, folder, "anna") as anna:
        settle(anna)
        publisher.say(1, "alert.opened", p_fake=0.97)
        (item,) = take(anna, lambda items: len(items) == 1)
        assert isinstance(item, Message)
        assert item.event.data == {"p_fake": 0.97}


def test_the_program_publishes_and_subscribes_with_keys(folder: Path, tmp_path: Path) -> None:
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "call.wav", turning_call(3.0, 4.0, 3.0))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    words = ("--server-key", folder / "server.key", "--key", folder / "anna.key_secret", "--topic", "alert", "--json")
    with (
        start_monitor("subscribe", address, *words, "--count", "1", cwd=tmp_path) as allowed,
        start_monitor("subscribe", address, "--topic", "alert", cwd=tmp_path) as without,
        start_monitor(
            *("replay", "call.wav", "--weights", "w.safetensors", "--publish", address, "--screen", "off"),
            *(*settings(*QUICK, f"zeromq.keys={folder}"), "--speed", "2"),
            cwd=tmp_path,
        ) as monitor,
    ):
        allowed.wait_for(lambda line: '"alert.opened"' in line)
        assert allowed.end() == 0
        result = without.wait_for(lambda line: "refused by" in line)
        assert result == f"refused by {address}: the stream is encrypted: give --server-key and --key\n"
        assert monitor.end() == 0
