"""Texts for people: what the states mean, and what to do when an alert opens. The same words on every screen."""

from __future__ import annotations

from monitor.types import State

STATES: dict[State, str] = {
    State.LISTENING: "too little speech yet; nothing is said before about two seconds",
    State.CLEAR: "nothing points to synthesis over the last seconds of speech; no proof that a person speaks",
    State.UNDECIDED: "there is speech, and it says too little either way",
    State.SUSPICIOUS: "the speech looks rather synthetic; wait for more of it",
    State.ALERT: "strong evidence for synthetic speech, or weak and steady evidence over the whole call",
    State.UNKNOWN: "no verdict, with the reason: no usable speech, a fault of the input, or of the program",
}
"""Most reassuring first, as far as they can be put in an order."""

AT_AN_ALERT: tuple[str, ...] = (
    "An alert is a reason to check, and no proof: some people raise one, and some fakes raise none.",
    "Do nothing that the voice asks for until you have checked: no payment, no password, no code.",
    "End the call, and call back on a number that you knew before.",
    "Or ask what only the right person can know and nobody can look up.",
    "Do not tell the other side what the program shows.",
    "Keep the recording and the journal, and tell those who are in charge of fraud or security.",
)
