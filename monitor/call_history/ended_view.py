"""A call that has ended as the terminal shows it, from what is kept of its events. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import nan

import numpy as np

from monitor.call_history.kept_call import KeptCall
from monitor.call_history.kept_channel import KeptChannel
from monitor.scores import severity
from monitor.types import Reason
from monitor.views import CallRow, ChannelView, View

_NO_SPECTRUM = np.zeros((0, 24), np.float32)


def ended_row(call: KeptCall) -> CallRow:
    """Return its row: the channel with the worst state, with the outcome and the highest likelihood."""
    worst = max(call.channels.values(), key=lambda channel: severity(channel.ever), default=None)
    channel = _channel(call, worst or KeptChannel(""))
    return CallRow(
        call=call.call,
        origin=call.tap,
        elapsed_s=call.last_s,
        worst=replace(channel, state=call.outcome, p_fake=call.highest_p),
        channels=len(call.channels),
        name=call.name,
        started=_seconds(call.started),
        id=call.id,
        alerts=call.alert_count,
        ended=_seconds(call.ended or call.newest_time),
        why=call.why,
    )


def ended_view(call: KeptCall, whole: View) -> View:
    """Return the whole call. whole: the state of the server, which is shown beside it."""
    return replace(
        whole,
        call=call.call,
        source=call.tap,
        elapsed_s=call.last_s,
        channels=tuple(_channel(call, channel) for channel in call.channels.values()),
        lost_s=call.lost_s,
        events=tuple(call.events),
        finished=True,
        name=call.name,
        id=call.id,
    )


def _channel(call: KeptCall, channel: KeptChannel) -> ChannelView:
    return ChannelView(
        name=channel.name,
        state=channel.state,
        reason=Reason.SILENCE,
        fault="",
        p_fake=channel.p_fake,
        llr=channel.llr,
        net_speech_s=channel.net_speech_s,
        needed_speech_s=0.0,
        families=tuple(channel.families.items()),
        level_dbfs=nan,
        peak_dbfs=nan,
        timeline=np.array(channel.timeline.p_fake, np.float32),
        timeline_step_s=channel.timeline.step_s,
        spectrogram=_NO_SPECTRUM,
        alert_since_s=None,
        alerts=sum(alert.channel == channel.name for alert in call.alerts.values()),
        lost_s=call.lost_s,
    )


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
