"""Evidence of a call: the audio that was kept, and its spectrogram."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import FileResponse, Response, StreamingResponse

from monitor.api.call_routes import CallId
from monitor.api.context import ApiContext, Context, Viewer
from monitor.api.problems import refuse
from monitor.api.wav_range import WavRange, read_range
from monitor.store.evidence_index import ID_DIGITS, EvidenceAudioFile, IndexedEvidence, file_within

router = APIRouter(tags=["evidence"])

EvidenceId = Annotated[str, Path(pattern=f"^[0-9a-f]{{{ID_DIGITS}}}$", description="`id` of evidence of the call")]
ChannelName = Annotated[str | None, Query(max_length=200, description="absent = that of the alert, or the first")]
WAV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}, "description": "PCM, 16 bits"},
    206: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}, "description": "a part of it"},
}
PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "0 to 8 kHz"}
}


@router.get(
    "/calls/{id}/evidence/{evidence}/audio",
    response_class=StreamingResponse,
    responses=WAV,
    operation_id="get_evidence_audio",
)
def get_audio(
    context: Context,
    _: Viewer,
    id: CallId,
    evidence: EvidenceId,
    channel: ChannelName = None,
    range: Annotated[str | None, Header(description="a part of it (RFC 9110, section 14)")] = None,
) -> Response:
    """Return the audio of one channel of evidence, as the detector heard it: 16 kHz. Lost audio is silent."""
    folder, audio = _find(context, id, evidence, channel)
    path = file_within(folder.folder, audio.file)
    try:
        if path is None:
            raise OSError("gone")
        wav = WavRange(path)
    except (OSError, RuntimeError) as error:
        raise refuse(404, "the audio is not there any more, or is damaged: see monitor verify") from error
    try:
        part = read_range(range, wav.size)
    except ValueError as error:
        raise refuse(416, "range: there is no such part", content_range=f"bytes */{wav.size}") from error
    start, stop = part or (0, wav.size)
    headers = {"accept-ranges": "bytes", "content-length": str(stop - start)}
    if part is not None:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{wav.size}"
    return StreamingResponse(wav.read(start, stop), 200 if part is None else 206, headers, "audio/wav")


@router.get(
    "/calls/{id}/evidence/{evidence}/spectrogram",
    response_class=FileResponse,
    responses=PNG,
    operation_id="get_evidence_spectrogram",
)
def get_spectrogram(
    context: Context, _: Viewer, id: CallId, evidence: EvidenceId, channel: ChannelName = None
) -> Response:
    """Return the spectrogram of one channel of evidence: time from left to right, bright is loud."""
    folder, audio = _find(context, id, evidence, channel)
    path = file_within(folder.folder, audio.picture)
    if path is None:
        raise refuse(404, "there is no spectrogram of this channel")
    return FileResponse(path, media_type="image/png")


def _find(
    context: ApiContext, id: str, evidence: str, channel: str | None
) -> tuple[IndexedEvidence, EvidenceAudioFile]:
    with context.calls.locked():
        call = context.call(id)
        name, epoch = call.call, call.epoch
    folder = next((found for found in context.evidence.of_call(epoch, name) if found.id == evidence), None)
    if folder is None:
        raise refuse(404, "there is no such evidence of this call, or it was deleted (evidence_store.keep_days)")
    first = folder.audio[0].channel if folder.audio else ""
    wanted = channel if channel is not None else folder.channel or first
    audio = next((found for found in folder.audio if found.channel == wanted), None)
    if audio is None:
        raise refuse(404, "there is no audio of this channel")
    return folder, audio
