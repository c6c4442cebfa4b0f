"""The alerts of journals that people marked, with the audio that was kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.call_history.kept_call import VERDICTS, KeptAlert, KeptCall
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.journal import chain, journal_files
from monitor.store.evidence_index import EvidenceIndex, file_within

SCORE = b'{"type":"score"'


@dataclass(frozen=True)
class MarkedAlert:
    """verdict: false_alarm or confirmed. peak_llr: highest of the alert, nats. audio: of its channel, None where none
    was kept.
    """

    call: str
    alert: str
    verdict: str
    peak_llr: float
    audio: Path | None


@dataclass(frozen=True)
class MarkedAlerts:
    """unmarked: alerts that nobody judged. speech_s: of all calls in the journals, seconds of speech."""

    alerts: tuple[MarkedAlert, ...]
    unmarked: int
    speech_s: float

    def of(self, verdict: str) -> list[MarkedAlert]:
        """Return those of one verdict."""
        return [alert for alert in self.alerts if alert.verdict == verdict]


def read_marked(journals: Sequence[Path], evidence: Sequence[Path]) -> MarkedAlerts:
    """Read journals, with the files that they rotated to, and folders of evidence. Raises BadInputError."""
    calls = _calls(journals)
    for folder in evidence:
        if not folder.is_dir():
            raise BadInputError(f"there is no folder {folder}", "name the one that evidence_store.path names")
    indexes = [EvidenceIndex(folder) for folder in evidence]
    found, unmarked = [], 0
    for call in calls:
        for alert in call.alerts.values():
            verdict = _verdict(call, alert)
            if verdict is None:
                unmarked += 1
            else:
                audio = next(_audio(indexes, call, alert), None)
                found.append(MarkedAlert(call.name, alert.id, verdict, alert.peak_llr, audio))
    return MarkedAlerts(tuple(found), unmarked, sum(call.speech_s for call in calls))


def _verdict(call: KeptCall, alert: KeptAlert) -> str | None:
    """Return the newest verdict on an alert, or on its whole call."""
    marks = (mark for mark in reversed(call.marks) if mark.alert in (None, alert.id))
    return next((mark.kind for mark in marks if mark.kind in VERDICTS), None)


def _calls(journals: Sequence[Path]) -> list[KeptCall]:
    calls: dict[tuple[str, str], KeptCall] = {}
    for path in journals:
        try:
            with journal_files.opened(path) as parts:
                if not parts:
                    raise BadInputError(f"there is no journal {path}", "give the file of --journal or journal.path")
                for _, file in parts:
                    for line in file:
                        _add(calls, line)
        except OSError as error:
            raise BadInputError(f"cannot read {path}: {error.strerror}", "name a journal") from error
    return list(calls.values())


def _add(calls: dict[tuple[str, str], KeptCall], line: bytes) -> None:
    """Take one line; what is no event of a call, and scores, whose peaks the alerts hold, are passed over."""
    if line.startswith((chain.SEALED, SCORE)):
        return
    try:
        event = wire.decode(line).event
    except (BadInputError, TypeError, AttributeError, OverflowError):
        return
    marked = event.type == "call.marked"
    key = (str(event.data.get("of_epoch")) if marked else event.epoch, event.call)
    if event.call and (key in calls or not marked):
        calls.setdefault(key, KeptCall(event.call, event.epoch)).apply(event)


def _audio(indexes: Sequence[EvidenceIndex], call: KeptCall, alert: KeptAlert) -> Iterator[Path]:
    for index in indexes:
        for folder in index.of_call(call.epoch, call.call):
            for audio in folder.audio if folder.alert == alert.id else ():
                path = file_within(folder.folder, audio.file)
                if audio.channel == alert.channel and path is not None:
                    yield path
