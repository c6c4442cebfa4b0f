"""Figures for Prometheus on http://HOST:PORT/metrics.

The labels are types of events, states, names of sinks and of shards: their number does not grow with the calls. No
name of a call or channel is among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitor.config.addresses import check_reach, read_address
from monitor.errors import BadInputError
from monitor.events.schema.schema_files import NAMES
from monitor.events.sink import RunContext, Sink
from monitor.sinks.channel_states import ChannelStates
from monitor.sinks.ocsf import installed_version
from monitor.types import Event, State

PREFIX = "speech_monitor_"
LATENCY_BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)


SHARD_GAUGES = {
    "streams": ("shard_streams", "Streams that the shard scores.", 1.0),
    "busy": ("shard_busy_share", "Share of the time in which the shard scores.", 1.0),
    "answer_ms": ("shard_answer_seconds", "How long the newest answer of the shard took.", 0.001),
}
"""Gauges by a key of monitor.cluster.coordinator.Coordinator.figures(): name, text, and what to multiply by."""


def _of_shards(shards: object) -> Iterator[Metric]:
    """Yield the figures of each shard, where a cluster scores."""
    if not isinstance(shards, list):
        return
    up = GaugeMetricFamily(f"{PREFIX}shard_up", "1 while the shard answers.", labels=["shard"])
    lost = CounterMetricFamily(f"{PREFIX}shard_losses", "Times that the shard was lost.", labels=["shard"])
    for shard in shards:
        up.add_metric([shard["name"]], float(shard["state"] in ("up", "leaving")))
        lost.add_metric([shard["name"]], shard["lost"])
    yield from (up, lost)
    for key, (name, text, scale) in SHARD_GAUGES.items():
        gauge = GaugeMetricFamily(PREFIX + name, text, labels=["shard"])
        for shard in shards:
            gauge.add_metric([shard["name"]], scale * shard[key])
        yield gauge


class _PulledMetrics:
    """Figures of the engine and the bus, read when somebody asks for them."""

    def __init__(self) -> None:
        self.run = RunContext("", dict, list)

    def collect(self) -> Iterator[Metric]:
        figures = self.run.heartbeat_figures()
        lost, fill = (float(str(figures.get(name, 0.0))) for name in ("lost_s", "ring_fill_s"))
        yield CounterMetricFamily(f"{PREFIX}audio_lost_seconds", "Audio that was lost before scoring.", value=lost)
        yield GaugeMetricFamily(f"{PREFIX}audio_waiting_seconds", "Audio that waits to be scored.", fill)
        refused = float(str(figures.get("calls_refused", 0)))
        yield CounterMetricFamily(f"{PREFIX}calls_refused", "Calls that were not taken.", value=refused)
        share = float(str(figures.get("lost_share", 0.0)))
        yield GaugeMetricFamily(
            f"{PREFIX}audio_lost_share", "Share of live audio that is lost now because scoring is too slow.", share
        )
        up = GaugeMetricFamily(f"{PREFIX}sink_up", "1 while the sink works.", labels=["sink"])
        queued = GaugeMetricFamily(f"{PREFIX}sink_queued_events", "Events that wait for the sink.", labels=["sink"])
        dropped = CounterMetricFamily(f"{PREFIX}sink_dropped_events", "Events it never gets.", labels=["sink"])
        emitted = CounterMetricFamily(f"{PREFIX}sink_emitted_events", "Events it has taken.", labels=["sink"])
        for status in self.run.statuses():
            up.add_metric([status.name], float(status.ok))
            queued.add_metric([status.name], status.queued)
            dropped.add_metric([status.name], status.dropped)
            emitted.add_metric([status.name], status.emitted)
        yield from (up, queued, dropped, emitted)
        yield from _of_shards(figures.get("shards"))


class MetricsSink(Sink):
    """Counts events and serves the figures over HTTP."""

    name = "metrics"

    def __init__(self, listen: str, *, insecure: bool = False) -> None:
        """listen: HOST:PORT. Raises BadInputError where it is taken, or open to others without `insecure`."""
        host, port = read_address("metrics.listen", listen, lowest_port=1)
        check_reach("metrics.listen", host, secured=False, insecure=insecure, secure_by="listen on 127.0.0.1")
        registry = CollectorRegistry()
        self._pulled = _PulledMetrics()
        registry.register(self._pulled)
        self._figures(registry)
        self._channels = ChannelStates()
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            hint = "choose another with metrics.listen"
            raise BadInputError(f"metrics.listen {listen}: {error.strerror or error}", hint) from error

    def _figures(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(PREFIX + name, text, labels, registry=registry)

        def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(PREFIX + name, text, labels, registry=registry)

        gauge("build_info", "Always 1.", ["version"]).labels(installed_version()).set(1)
        self._events = counter("events", "Events published.", ["type"])
        self._faults = counter("input_faults", "Times that an input could not be trusted any more.")
        self._sink_faults = counter("sink_faults", "Times that a sink failed.", ["sink"])
        self._alerts_open = gauge("alerts_open", "Alerts that are open.")
        self._calls = gauge("calls", "Calls that are being watched.")
        self._states = gauge("channels", "Channels in each state.", ["state"])
        self._latency = Histogram(
            f"{PREFIX}latency_seconds",
            "From the capture of a block of live audio to its score.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        for name in NAMES:
            self._events.labels(name)
        for state in State:
            self._states.labels(state.value)

    def start(self, run: RunContext) -> None:
        """Serve the figures of the engine and the bus too."""
        self._pulled.run = run
        # Prometheus' increase() does not see the first fault of a figure that was not there before.
        for status in run.statuses():
            self._sink_faults.labels(status.name)

    def observe_latency(self, seconds: float) -> None:
        """Count one step in the histogram."""
        self._latency.observe(seconds)

    def emit(self, event: Event) -> None:
        self._events.labels(event.type if event.type in NAMES else "other").inc()
        if event.type == "health":
            self._health(event)
            return
        if not self._channels.take(event):
            return
        self._alerts_open.set(len(self._channels.opened))
        self._calls.set(len(self._channels.calls))
        for state, count in self._channels.counts().items():
            self._states.labels(state.value).set(count)

    def close(self) -> None:
        """Free the port. May be called twice."""
        self._server.shutdown()
        self._server.server_close()

    def _health(self, event: Event) -> None:
        if event.data.get("code") in ("sink fault", "sink ended"):
            self._sink_faults.labels(str(event.data.get("sink"))).inc()
        elif event.data.get("usable") is False:
            self._faults.inc()
