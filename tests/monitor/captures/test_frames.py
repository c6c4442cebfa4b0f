"""From files to datagrams: every form, link type and tunnel, beside what tshark reads of the same files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from capture_files import (
    WRAPPED,
    Frame,
    ethernet,
    fragments,
    interface,
    packet,
    section,
    wrapped,
    write_pcap,
    write_pcapng,
)
from captured import A6, B6, BEGUN, A, B, End, network

from monitor.captures.frames import packets
from monitor.captures.ip_packets import Datagram, endpoints
from monitor.captures.records import CutOffError, is_capture, records
from monitor.errors import BadInputError

Sent = list[tuple[float, End, End, bytes]]
Seen = tuple[float, End, End, bytes]

SENT: Sent = [(round(i * 0.02, 3), *((A, B) if i % 2 else (B, A)), bytes([0x80, i]) + bytes(20 + i)) for i in range(6)]
SENT6: Sent = [(round(i * 0.02, 3), A6, B6, b"INVITE sip:x" + bytes([i])) for i in range(3)]


def seen(path: Path, counts: Counter[str] | None = None) -> list[Seen]:
    """Times since BEGUN to a millisecond, ends and data."""
    found = [p for p in packets(path, counts if counts is not None else Counter()) if isinstance(p, Datagram)]
    assert not any(p.missing for p in found)
    return [(round(p.at - BEGUN, 3), *endpoints(p.ends), p.data) for p in found]


def tshark(path: Path) -> list[Seen]:
    """The same, as tshark reads it."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    names = (
        "frame.time_epoch",
        "ip.src",
        "ip.dst",
        "ipv6.src",
        "ipv6.dst",
        "udp.srcport",
        "udp.dstport",
        "udp.payload",
    )
    words = [word for name in names for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), "-Y", "udp", "-T", "fields", "-E", "occurrence=l", *words]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    found = []
    for line in lines:
        at, *ip, source, target, data = line.split("\t")
        hosts = ip[2:] if ip[2] else ip[:2]
        ends = (hosts[0], int(source)), (hosts[1], int(target))
        found.append((round(float(at) - BEGUN, 3), *ends, bytes.fromhex(data.replace(":", ""))))
    return found


@pytest.mark.parametrize("sent", [SENT, SENT6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("kind", WRAPPED)
def test_whatever_the_packets_came_through_they_are_the_same(tmp_path: Path, kind: str, sent: Sent) -> None:
    assert seen(write_pcap(tmp_path / "a.pcap", wrapped(kind, sent))) == sent


def test_tshark_reads_the_same_of_every_kind(tmp_path: Path) -> None:
    told = {"ethernet in mpls", "l2tp 3", "ip in udp", "mpls alone"}  # tshark has to be told, or cannot be
    kinds = [kind for kind in WRAPPED if kind not in told]
    sent = [(round(i * 0.02, 3), a, b, data) for i, (_, a, b, data) in enumerate([SENT[0], SENT6[0]] * len(kinds))]
    frames = [wrapped(kinds[i // 2], [one])[0] for i, one in enumerate(sent)]
    path = write_pcapng(tmp_path / "a.pcapng", frames)
    assert seen(path) == sent
    assert tshark(path) == sent


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap_in_every_byte_order_and_resolution(tmp_path: Path, order: str, nanoseconds: bool) -> None:
    path = write_pcap(tmp_path / "a.pcap", wrapped("ethernet", SENT), order=order, nanoseconds=nanoseconds)
    assert seen(path) == SENT


def test_each_interface_of_pcapng_has_its_own_link_type_resolution_and_offset(tmp_path: Path) -> None:
    kinds = ("ethernet", "cooked", "nflog", "cooked 2", "raw", "vxlan")
    frames = [wrapped(kind, [sent])[0] for kind, sent in zip(kinds, SENT, strict=True)]
    path = write_pcapng(tmp_path / "a.pcapng", frames)
    assert seen(path) == SENT
    assert tshark(path) == SENT


def test_pcapng_with_simple_and_old_packet_blocks(tmp_path: Path) -> None:
    from capture_files import block

    frame = wrapped("ethernet", SENT[:1])[0][2]
    simple = block(3, struct.pack("<I", len(frame)) + frame)
    ticks = round((BEGUN + 0.5) * 1e6)
    old = block(2, struct.pack("<HHIIII", 0, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)) + frame)
    path = tmp_path / "a.pcapng"
    path.write_bytes(section() + interface(1) + packet(0, 0.25, frame) + simple + old)
    found = list(records(path))
    assert [record.data for record in found] == [frame] * 3
    assert [round(record.at - BEGUN, 3) for record in found] == [0.25, 0.25, 0.5]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_captures(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = write_pcap(tmp_path / "a", wrapped("ethernet", SENT))
    path.write_bytes(compress(path.read_bytes()))
    assert is_capture(path)
    assert seen(path) == SENT
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CutOffError):
        seen(path)


def captured(path: Path) -> list[tuple[float, bytes]]:
    return [(round(record.at - BEGUN, 6), record.data) for record in records(path)]


@pytest.mark.parametrize("first", ["<", ">", "nanoseconds", "pcapng", "gzip"])
@pytest.mark.parametrize("second", ["<", "pcapng"])
def test_captures_that_cat_joined_are_read_to_the_end(tmp_path: Path, first: str, second: str) -> None:
    parts, wanted = b"", list[tuple[float, bytes]]()
    for number, form in enumerate((first, second, first)):
        frames = [(number + i / 4, *WRAPPED["ethernet"](network(A, B, SENT[0][3]))) for i in range(3)]
        path = tmp_path / f"{number}"
        if form == "pcapng":
            write_pcapng(path, frames)
        else:
            order = form if form in "<>" else "<"
            write_pcap(path, frames, order=order, nanoseconds=form == "nanoseconds")
        wanted += [(at, frame) for at, _, frame in frames]
        data = path.read_bytes()
        parts += gzip.compress(data) if first == "gzip" else data
    joined = tmp_path / "joined"
    joined.write_bytes(parts)
    assert captured(joined) == wanted


@pytest.mark.parametrize(
    ("head", "says"),
    [(b"snoop\0\0\0", "snoop"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"GMBU", "Network Monitor")],
)
def test_captures_of_other_programs_are_named_with_what_to_do(tmp_path: Path, head: bytes, says: str) -> None:
    path = tmp_path / "a.cap"
    path.write_bytes(head + bytes(100))
    assert is_capture(path)
    with pytest.raises(BadInputError, match=says) as caught:
        seen(path)
    assert "editcap" in caught.value.hint


def pieces(sent: Sent, size: int = 24) -> list[Frame]:
    whole = [(at, fragments(network(a, b, data), size, name=i)) for i, (at, a, b, data) in enumerate(sent)]
    return [(at, 1, ethernet(piece)) for at, some in whole for piece in some]


@pytest.mark.parametrize("sent", [[(0.0, A, B, bytes(range(200)))], [(0.0, A6, B6, bytes(range(200)))]])
def test_fragments_in_any_order_and_twice(tmp_path: Path, sent: Sent) -> None:
    frames = pieces(sent)
    assert len(frames) > 5
    assert seen(write_pcap(tmp_path / "a.pcap", frames)) == sent
    assert tshark(tmp_path / "a.pcap") == sent
    assert seen(write_pcap(tmp_path / "b.pcap", frames[::-1])) == sent
    assert (
        seen(write_pcap(tmp_path / "c.pcap", [f for frame in frames[:-1] for f in (frame, frame)] + frames[-1:]))
        == sent
    )


HEADERS = {0: b"\0\x05\x02\0\0\x01\0", 60: b"\x01\x01\x0c" + bytes(12), 51: b"\x04" + bytes(22)}
"""Hop-by-hop and destination options, and authentication, each without its first byte."""


def extended(ip: bytes, kinds: Sequence[int]) -> bytes:
    """A packet of IPv6 with such headers."""
    following, body = ip[6], ip[40:]
    for kind in reversed(kinds):
        following, body = kind, bytes([following]) + HEADERS[kind] + body
    return ip[:4] + struct.pack("!HB", len(body), following) + ip[7:40] + body


@pytest.mark.parametrize("before", [(), (0,), (0, 51)])
@pytest.mark.parametrize("behind", [(), (60,), (51, 60)])
def test_headers_of_ipv6_before_and_behind_that_of_fragments(
    tmp_path: Path, before: Sequence[int], behind: Sequence[int]
) -> None:
    sent: Sent = [(0.0, A6, B6, bytes(range(200))), (0.1, B6, A6, bytes(200))]
    whole = [(at, extended(network(a, b, data), behind)) for at, a, b, data in sent]
    frames = [
        (at, 1, ethernet(extended(piece, before)))
        for i, (at, ip) in enumerate(whole)
        for piece in fragments(ip, 64, name=i)
    ]
    assert seen(write_pcap(tmp_path / "a.pcap", frames)) == sent
    assert tshark(tmp_path / "a.pcap") == sent
    assert seen(write_pcap(tmp_path / "b.pcap", [(at, 1, ethernet(extended(ip, before))) for at, ip in whole])) == sent


def test_a_fragment_that_is_missing_is_counted(tmp_path: Path) -> None:
    frames = pieces([(0.0, A, B, bytes(200)), (0.1, A, B, bytes(100))])
    counts: Counter[str] = Counter()
    assert [len(s[3]) for s in seen(write_pcap(tmp_path / "a.pcap", frames[1:]), counts)] == [100]
    assert counts == {"IP datagrams with a fragment missing": 1}


@pytest.mark.parametrize("snap", [96, 60, 150])
@pytest.mark.parametrize("kind", ["ethernet", "cooked", "vlan"])
def test_what_the_snap_length_cut_off_is_missing(tmp_path: Path, snap: int, kind: str) -> None:
    path = write_pcap(tmp_path / "a.pcap", wrapped(kind, [(0.0, A, B, b"\x80" + bytes(171))]), snap=snap)
    (found,) = packets(path, Counter())
    assert isinstance(found, Datagram)
    assert len(found.data) + found.missing == 172
    assert found.missing > 20


def test_a_fragment_cut_short_makes_the_datagram_end_there(tmp_path: Path) -> None:
    frames = pieces([(0.0, A, B, bytes(200))], size=80)
    path = write_pcap(tmp_path / "a.pcap", frames, snap=80)
    (found,) = packets(path, Counter())
    assert isinstance(found, Datagram)
    assert (len(found.data), found.missing) == (80 - 14 - 20 - 8, 200 - (80 - 14 - 20 - 8))


def test_other_packets_are_counted_by_name(tmp_path: Path) -> None:
    arp = (0.0, 1, ethernet(b"\x45", b"\x08\x06") + bytes(27))
    ping = (0.1, 1, ethernet(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 1, 0, bytes(4), bytes(4)) + bytes(8)))
    tree = (0.2, 1, bytes(12) + b"\x00\x26\x42\x42\x03" + bytes(35))
    counts: Counter[str] = Counter()
    assert seen(write_pcap(tmp_path / "a.pcap", [arp, ping, tree, *wrapped("vxlan", SENT)]), counts) == SENT
    assert counts == {"ARP": 1, "ICMP": 1, "IEEE 802.2": 1, "in VXLAN": 6}


def test_a_link_type_that_is_not_read_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    frames = [(0.0, 189, bytes(40)), (0.1, 192, bytes(40)), *wrapped("ethernet", SENT)]
    counts: Counter[str] = Counter()
    assert seen(write_pcapng(tmp_path / "a.pcapng", frames), counts) == SENT
    assert list(counts) == ["packets of link type 189 (USB), which is not read", "malformed packets"]


def test_frames_of_802_11_that_are_encrypted_or_empty_are_named(tmp_path: Path) -> None:
    body = wrapped("802.11", SENT[:1])[0][2]
    frames = [(0.0, 105, bytes([kind, flags]) + body[2:]) for kind, flags in ((0x08, 0x42), (0x48, 2), (0x80, 0))]
    counts: Counter[str] = Counter()
    assert seen(write_pcap(tmp_path / "a.pcap", frames), counts) == []
    assert counts == {"802.11 (encrypted)": 1, "802.11 without data": 2}


@pytest.mark.parametrize("snap", [40, 48])
def test_datagrams_of_which_nothing_is_left_are_counted(tmp_path: Path, snap: int) -> None:
    from monitor.captures.scan import scan

    found = scan(write_pcap(tmp_path / "a.pcap", wrapped("ethernet", SENT), snap=snap))
    assert found.counts == {"UDP datagrams cut short by the capture's snap length": len(SENT)}


def test_layers_within_layers_end_somewhere(tmp_path: Path) -> None:
    from capture_files import ip4

    body = network(A, B, b"x")
    for _ in range(40):
        body = ip4(4, body)
    assert seen(write_pcap(tmp_path / "a.pcap", [(0.0, 1, ethernet(body))])) == []
