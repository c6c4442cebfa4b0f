"""`monitor subscribe`: print the events of a running monitor, for people or, with --json, for programs."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.typer_commands import expand_options

if TYPE_CHECKING:
    from monitor.cli.subscribe_output import NamedSubscriber, SubscriberOutput
    from monitor.subscriber import Subscriber

WAITING_AFTER_S = 0.5
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


@dataclass(frozen=True)
class SubscribeOptions:
    """The options of the command."""

    topic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREFIX", help="Only topics that begin with this, such as alert or score.call1. May be repeated."
        ),
    ] = None
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after N events.")] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, help="Stop after this long; with --count, status 1 if fewer events came."
        ),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="SEQ", help="Start at this event number of the current run, or at EPOCH:SEQ of any run."
        ),
    ] = None
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Continue where the last run with this file stopped.")
    ] = None
    server_key: Annotated[
        str, typer.Option(metavar="KEY", help="The publisher's public key, or its file, where the stream is encrypted.")
    ] = ""
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own secret key: the file that ends in .key_secret.")
    ] = None
    replay: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to fetch missed events from (default: the one that the publisher announces).",
        ),
    ] = None

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the prefixes of topics; "" is that of all."""
        return tuple(self.topic or [""])


@expand_options
def subscribe(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Where the running monitor publishes.")
    ] = "tcp://127.0.0.1:5556",
    json_lines: Annotated[bool, typer.Option("--json", help="Write each event as a JSON line.")] = False,
    cloudevents: Annotated[
        bool, typer.Option("--cloudevents", help="Write each event as a JSON line in the envelope of CloudEvents 1.0.")
    ] = False,
    *,
    options: SubscribeOptions,
) -> None:
    """Print the events of a running monitor, until Ctrl-C. Events that were lost on the way are fetched again."""
    raise typer.Exit(follow(address, json_lines, options, cloudevents))


def follow(address: str, as_json: bool, options: SubscribeOptions, cloudevents: bool) -> int:
    """Print the stream until Ctrl-C, `count` events or `timeout`. Returns the exit status.

    0: enough was seen or the reader of the output has gone; 1: fewer than count events within timeout; 130: Ctrl-C.
    Raises BadInputError for an impossible address, key, number or state file.
    """
    from monitor.cli.subscribe_output import CloudEventLines, JsonLines, NamedSubscriber, TextLines

    try:
        with _connect(address, options) as subscriber:
            if cloudevents:
                return _follow(NamedSubscriber(subscriber), CloudEventLines(subscriber), options)
            with closing(JsonLines() if as_json else TextLines(sys.stdout)) as output:
                return _follow(subscriber, output, options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit; there is nobody left to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _connect(address: str, options: SubscribeOptions) -> Subscriber:
    from monitor.delivery import keys
    from monitor.delivery.resume import starting_point
    from monitor.subscriber import Subscriber

    return Subscriber(
        address,
        options.topics,
        since=starting_point(options.since, options.state, options.topics),
        replay=options.replay,
        server_key=keys.public_key(options.server_key) if options.server_key else "",
        keys=keys.secret_pair(options.key) if options.key else None,
    )


def _unknown_host(address: str) -> str:
    """Accept a name that is not known yet: the name service may come up later."""
    from monitor.config.addresses import is_known, split_host

    host = split_host(address.removeprefix("tcp://"))[0]
    return "" if not address.startswith("tcp://") or is_known(host) else f": the host {host} is not known"


def _follow(subscriber: Subscriber | NamedSubscriber, output: SubscriberOutput, options: SubscribeOptions) -> int:
    from monitor.delivery.resume import remember
    from monitor.events.wire import Message

    until = float("inf") if options.timeout is None else time.monotonic() + options.timeout
    waiting_at = time.monotonic() + WAITING_AFTER_S
    seen = 0
    while options.count is None or seen < options.count:
        now = time.monotonic()
        if now >= until:
            return 0 if options.count is None else 1
        if now >= waiting_at:
            waiting_at = float("inf")
            if not subscriber.has_received:
                print(
                    f"waiting for {subscriber.address}{_unknown_host(subscriber.address)}", file=sys.stderr, flush=True
                )
        due = min(until, waiting_at)
        item = subscriber.receive(None if due == float("inf") else due - now)
        if item is None:
            continue
        output.item(item)
        seen += isinstance(item, Message)
        if options.state is not None:
            remember(options.state, subscriber.position, options.topics)
    return 0
