"""Every tunable of the monitor, validated as a whole. The unit stands in the key's name.

Layers, later ones win: defaults (this file), config.toml, environment (MONITOR_SECTION__KEY), flags.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from monitor.config.api import ApiSection
from monitor.config.cluster import ClusterSection
from monitor.config.evidence_store import EvidenceStoreSection
from monitor.config.outlets import (
    AlertmanagerSection,
    DesktopSection,
    MetricsSection,
    MqttSection,
    SyslogSection,
    WebhookSection,
)
from monitor.config.provenance import ProvenanceSection
from monitor.config.section import Positive, Secret, Section
from monitor.config.taps import TapsSection
from monitor.config.web import WebSection
from monitor.events.schema.schema_files import SOURCE


class ModelSection(Section):
    weights: str = Field("default", description="path of a .safetensors file, or 'default', the one that ships")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where the network runs")
    threads: int = Field(1, ge=1, le=64, description="CPU threads of the network")


class InputSection(Section):
    block_ms: int = Field(10, ge=5, le=100, description="audio asked of the sound card at once")
    stall_ms: int = Field(500, ge=100, le=10_000, description="no audio for so long is a stall")
    zeros_s: Positive = Field(2.0, description="exact zeros for so long are reported as a dead input")
    reconnect_first_s: Positive = Field(0.5, description="first wait before a lost device is opened again")
    reconnect_longest_s: Positive = Field(5.0, description="longest wait between two attempts")
    ring_s: Positive = Field(4.0, le=60, description="audio kept between capture and scoring")
    max_channels: int = Field(8, ge=1, le=64, description="channels of one call that are scored")

    @model_validator(mode="after")
    def _check_retry_order(self) -> Self:
        if self.reconnect_first_s > self.reconnect_longest_s:
            raise ValueError("reconnect_first_s must not exceed reconnect_longest_s")
        return self


class EvidenceSection(Section):
    prior: float = Field(0.5, gt=0, lt=1, description="probability of a fake before anything was heard")
    min_speech_s: float = Field(2.0, ge=0.5, le=60, description="no verdict before so much net speech")
    memory_s: Positive = Field(0.5, description="net speech after which old evidence has faded to 1/e")
    min_speech_probability: float = Field(0.5, ge=0, le=1, description="below it a block is music or noise")
    max_llr: Positive = Field(8.0, description="bound of the log-likelihood ratio shown, in nats")
    family_floor: float = Field(0.5, ge=0, le=0.5, description="likeliest family below it: unknown comes first")


class AlertSection(Section):
    suspicious_llr: float = Field(1.4, description="from here on suspicious, in nats")
    alert_llr: float = Field(3.25, description="from here on an alert, in nats")
    whole_llr: float = Field(1.4, gt=0, description="from here on, over all speech of a call, an alert, in nats")
    close_llr: float = Field(0.0, description="below it an alert may close, in nats")
    clear_llr: float = Field(-1.2, lt=0, description="from here down clear, over clear_memory_s of speech, in nats")
    clear_memory_s: Positive = Field(20.0, description="net speech after which evidence for clear has faded to 1/e")
    undecided_after_s: float = Field(4.0, ge=0, description="net speech, from the first verdict on, before undecided")
    hard_share: float = Field(0.25, gt=0, le=1, description="share of speech spoilt, from which nothing is clear")
    hard_memory_s: Positive = Field(10.0, description="speech, spoilt or not, after which that has faded to 1/e")
    low_level_dbfs: float = Field(-50.0, ge=-100, le=0, description="fainter speech counts as spoilt")
    suspicious_hold_s: float = Field(0.4, ge=0, description="net speech above suspicious_llr before the state changes")
    whole_after_s: Positive = Field(6.0, description="net speech before whole_llr counts")
    alert_hold_s: float = Field(0.6, ge=0, description="net speech above alert_llr before the alert opens")
    close_hold_s: float = Field(5.0, ge=0, description="net speech below close_llr before the alert closes")
    update_every_s: Positive = Field(5.0, description="audio between two updates of an open alert")
    unknown_after_s: Positive = Field(15.0, description="no usable speech for so long makes the state unknown")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.close_llr <= self.suspicious_llr <= self.alert_llr:
            raise ValueError("close_llr <= suspicious_llr <= alert_llr must hold")
        return self


class PublishSection(Section):
    score_interval_ms: int = Field(40, ge=20, le=10_000, multiple_of=20, description="audio between two scores")
    queue_events: int = Field(20_000, ge=100, description="events held for one sink before the newest are dropped")
    redact_numbers: bool = Field(False, description="replace telephone numbers in events by pseudonyms")
    source: str = Field(SOURCE, pattern=r"^[!-~]+$", description="name of this monitor in CloudEvents, a URI-reference")


class ZeromqSection(Section):
    enabled: bool = Field(True, description="publish on ZeroMQ")
    address: str = Field("tcp://127.0.0.1:5556", description="where the XPUB socket binds")
    heartbeat_s: Positive = Field(1.0, description="between two heartbeats")
    high_water_mark: int = Field(10_000, ge=1, le=2**31 - 1, description="messages held for one slow subscriber")
    replay_address: str = Field(
        "auto", description="where missed events are asked for; auto = next port; empty = nowhere"
    )
    replay_events: int = Field(
        20_000, ge=0, le=10_000_000, description="newest events that are kept in memory for that"
    )
    replay_mib: int = Field(32, ge=1, le=100_000, description="memory that those may take")
    keys: str = Field("", description="directory of 'monitor keys', for encryption; empty = none")
    insecure: bool = Field(False, description="publish beyond this machine without keys")


class JournalSection(Section):
    path: str = Field("", description="file that gets every event as a JSON line; empty = none")
    fsync: Literal["never", "alerts", "always"] = Field("alerts", description="what must survive a power cut")
    rotate_mib: int = Field(100, ge=0, le=1_000_000, description="size at which a new file is begun; 0 = none")
    rotate_hours: float = Field(0.0, ge=0, description="age at which a new file is begun; 0 = none")
    keep_mib: int = Field(0, ge=0, description="size of all files beyond which the oldest is deleted; 0 = none")
    keep_days: float = Field(0.0, ge=0, description="age beyond which a file is deleted; 0 = none")
    anchor_s: float = Field(
        0.0, ge=0, description="between two messages of the newest chain value to syslog and webhook; 0 = none"
    )
    key: Secret = Field(Secret(""), description="secret that seals the journal, file:PATH or env:NAME; empty = none")


class DashboardSection(Section):
    mode: Literal["auto", "full", "line", "plain", "off"] = Field("auto", description="auto looks at the terminal")
    redraws_per_second: float = Field(8.0, gt=0, le=10, description="upper bound")
    bell: bool = Field(True, description="ring the terminal's bell when an alert opens")
    mouse: bool = Field(True, description="take clicks and the wheel; most terminals then select text with Shift held")


class ServeSection(Section):
    max_calls: int = Field(200, ge=1, le=10_000, description="calls at once; more are refused")
    max_calls_per_peer: int = Field(
        0, ge=0, le=10_000, description="calls at once of one host; 0 = no more than max_calls"
    )
    idle_s: Positive = Field(10.0, description="a call from which nothing came for so long has ended")
    score_interval_ms: int = Field(500, ge=20, le=10_000, multiple_of=20, description="audio between two scores")
    insecure: bool = Field(False, description="listen beyond this machine without a secret or a certificate")
    ring_s: Positive = Field(2.0, le=60, description="audio kept between the taps and scoring, of each channel")


class Config(Section):
    """The whole configuration."""

    model: ModelSection = ModelSection()
    input: InputSection = InputSection()
    provenance: ProvenanceSection = ProvenanceSection()
    evidence: EvidenceSection = EvidenceSection()
    alerts: AlertSection = AlertSection()
    publish: PublishSection = PublishSection()
    zeromq: ZeromqSection = ZeromqSection()
    journal: JournalSection = JournalSection()
    evidence_store: EvidenceStoreSection = EvidenceStoreSection()
    dashboard: DashboardSection = DashboardSection()
    serve: ServeSection = ServeSection()
    cluster: ClusterSection = ClusterSection()
    taps: TapsSection = TapsSection()
    web: WebSection = WebSection()
    api: ApiSection = ApiSection()
    webhook: WebhookSection = WebhookSection()
    alertmanager: AlertmanagerSection = AlertmanagerSection()
    syslog: SyslogSection = SyslogSection()
    mqtt: MqttSection = MqttSection()
    metrics: MetricsSection = MetricsSection()
    desktop: DesktopSection = DesktopSection()

    @model_validator(mode="after")
    def _alert_is_possible(self) -> Self:
        if self.alerts.alert_llr > self.evidence.max_llr:
            raise ValueError("alerts.alert_llr must not exceed evidence.max_llr: no alert could ever open")
        return self

    @model_validator(mode="after")
    def _keys_mean_something(self) -> Self:
        if self.api.keys and not self.web.token.get_secret_value():
            raise ValueError("api.keys need web.token: without it everybody on this machine may do all that keys allow")
        return self

    @model_validator(mode="after")
    def _anchor_has_a_place(self) -> Self:
        """Refuse an anchor that goes nowhere: it proves nothing, and nobody would notice."""
        takes = {"anchor", "health"}
        webhook = self.webhook.url.get_secret_value() and self.webhook.body.startswith("cloudevents")
        places = [self.webhook.events] if webhook else []
        places += [self.syslog.events] if self.syslog.address else []
        if self.journal.anchor_s and not any(takes & set(events) for events in places):
            raise ValueError('journal.anchor_s: set syslog.address or webhook.url, with "anchor" among its events')
        return self
