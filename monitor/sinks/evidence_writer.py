"""Writes the folders of evidence (monitor/store/): one for an alert, one for a whole call."""

from __future__ import annotations

import errno
from pathlib import Path

from model.config import SAMPLE_RATE
from monitor.config.schema import Config
from monitor.disk.private import append_private, make_folder
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.sinks.bodies import dead_letter
from monitor.store import retention
from monitor.store.event_collector import PendingAlert
from monitor.store.folder import DraftFolder, folder_name, versions, write_alert
from monitor.store.seal import read_key
from monitor.store.whole_call import WholeCall
from monitor.types import Event

SET_ASIDE = "set-aside.jsonl"
"""In the folder of the evidence: the alerts whose evidence could not be written, with the reason."""
OF_THE_DISK = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Faults that pass, or that every alert would meet: what waits is kept and written later."""


def reason(error: Exception) -> str:
    """Return the operating system's words for an error, else its own."""
    return getattr(error, "strerror", None) or str(error)


def is_of_the_disk(error: Exception) -> bool:
    """Return whether the disk failed, not one alert's evidence."""
    return isinstance(error, OSError) and error.errno in OF_THE_DISK


class EvidenceWriter:
    """The folder of all evidence. weights_hash: of the network, named in every manifest."""

    def __init__(self, config: Config, epoch: str) -> None:
        """Raises BadInputError where the folder cannot be written, or the key cannot be used."""
        section = config.evidence_store
        self.root = Path(section.path)
        self.weights_hash = ""
        self._config, self._section, self._epoch = config, section, epoch
        self._key = read_key(Path(section.key)) if section.key else None
        try:
            make_folder(self.root)
            self.probe()
            retention.sweep(self.root)
            self.retain()
        except OSError as error:
            hint = "name a folder that can be written; it is made if need be"
            raise BadInputError(f"evidence folder {self.root}: {error.strerror}", hint) from error

    def probe(self) -> None:
        """Raise OSError where a folder cannot be made."""
        DraftFolder(self.root, "probe", self._epoch).discard()

    def retain(self) -> None:
        """Delete evidence that is too old or too much."""
        retention.apply(self.root, self._section.keep_days, self._section.keep_gb)

    def write(self, pending: PendingAlert) -> None:
        """Write the evidence of one alert. Raises OSError, RuntimeError, ValueError; nothing of it is then left."""
        clip, events = pending.clip, pending.events()
        opened = clip.opened
        time = next((e.time for e in events if e.type == "alert.opened" and e.sample == opened.sample), "")
        time = time or wire.utc_now()
        draft = DraftFolder(self.root, folder_name(time, "alert", str(opened.data["alert"])), self._epoch)
        try:
            lines = [(event.sample, wire.encode(event)) for event in events]
            facts = write_alert(draft, clip, lines, self._facts(time), self._config)
            draft.publish(facts, self._key)
        except BaseException:
            draft.discard()
            raise

    def set_aside(self, opened: Event, why: str) -> str:
        """Keep the event of an alert whose evidence is given up, with the reason. Returns what became of it."""
        where = self.root / SET_ASIDE
        try:
            append_private(where, dead_letter(opened, why))
        except OSError as error:
            return f"the evidence of {opened.data['alert']} is lost, {where}: {reason(error)}"
        return f"the evidence of {opened.data['alert']} was set aside, see {where}"

    def begin_whole(self, call: str, channels: tuple[str, ...]) -> WholeCall:
        """Begin the recording of a whole call. Raises OSError, RuntimeError."""
        return WholeCall(DraftFolder(self.root, folder_name(wire.utc_now(), call), self._epoch), call, channels)

    def finish_whole(self, whole: WholeCall, started: Event | None) -> None:
        """End the recording of a whole call. started: its first event. Raises OSError, RuntimeError."""
        whole.finish(self._facts(wire.utc_now() if started is None else started.time), self._config, self._key)

    def _facts(self, time: str) -> dict[str, object]:
        """Return the facts in every manifest. time: UTC of the alert, or of the call's beginning."""
        return {
            "time": time,
            "epoch": self._epoch,
            "sample_rate": SAMPLE_RATE,
            "model": self.weights_hash,
            "written": wire.utc_now(),
            "versions": versions(),
        }
