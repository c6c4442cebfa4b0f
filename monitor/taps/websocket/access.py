"""Access control of WebSocket connections: the protection configured, and the credentials of a peer. Pure."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

from monitor.config.addresses import check_reach
from monitor.config.allowed_hosts import is_allowed_host
from monitor.config.taps import TapsSection, WebsocketSection
from monitor.errors import BadInputError
from monitor.taps.websocket.handler import RefusedRequestError, UpgradeRequest
from monitor.taps.websocket.registry import PROTOCOLS

SECRETS = "set taps.websocket.token (or basic), or name in taps.websocket.protocols those alone that have a secret"
TELNYX_HEADER = "x-telnyx-streaming-auth-token"
TLS = "set taps.websocket.certificate and key"


def served(config: WebsocketSection) -> tuple[str, ...]:
    """Return the protocols that are switched on. Raises BadInputError for one that does not exist."""
    unknown = sorted(set(config.protocols) - set(PROTOCOLS))
    if unknown:
        raise BadInputError(
            f"taps.websocket.protocols: there is no {unknown[0]!r}", f"choose from {', '.join(PROTOCOLS)}"
        )
    return tuple(config.protocols or PROTOCOLS)


def check_secured(config: TapsSection, hosts: list[str], *, insecure: bool) -> None:
    """Refuse, by BadInputError, protocols that others can reach without protection or read on their way, and by
    ConfigError a secret that is not there.

    Behind a public_url there is a proxy that has the certificate.
    """
    section = config.websocket
    for secret in (section.token, section.basic, section.twilio_auth_token, section.fonoster_secret):
        secret.reveal()
    general = bool(section.token or section.basic)
    bare = [name for name in served(section) if not general and not PROTOCOLS[name].own_secret(config)]
    tls = bool(section.certificate)
    named = "" if len(bare) == len(PROTOCOLS) else f" for {', '.join(bare)}"
    by = "; ".join([*([] if tls else [TLS]), *([SECRETS + named] if bare else [])])
    for host in hosts:
        check_reach("taps.websocket.listen", host, secured=tls and not bare, insecure=insecure, secure_by=by)
    if section.public_url and bare and not insecure:
        raise BadInputError(
            f"taps.websocket.public_url: everybody can reach {', '.join(bare)} there", f"{SECRETS}; or say --insecure"
        )


def check_origin(request: UpgradeRequest, names: Iterable[str] = ()) -> None:
    """Refuse a page of another site by RefusedRequestError: a browser lets any page dial this machine. Vendors send no
    Origin, and libwebsockets the host that it dials.

    names: the hosts under which pages may dial, beside addresses, as for the page itself: an attacker's name that was
    made to lead here is in Origin and in Host alike.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return
    host = _host(origin)
    if not is_allowed_host(f"[{host}]" if ":" in host else host, names):
        raise RefusedRequestError("dialled by a web page under a name that is not in web.hosts")
    if host not in {_host(request.url), _host(request.headers.get("host", ""))} - {""}:
        raise RefusedRequestError("dialled by a web page of another site")


def allowed_names(section: WebsocketSection, hosts: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which pages may dial: those of the page, and that of the proxy."""
    return (*hosts, *([name] if (name := _host(section.public_url)) else []))


def _host(url: str) -> str:
    """Return the host of a URL or of HOST:PORT; "" where there is none."""
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""


def check_peer(name: str, request: UpgradeRequest, config: TapsSection) -> None:
    """Refuse a peer that lacks the secret of all protocols by RefusedRequestError.

    One that has its own asks for it when its handler is made.
    """
    section = config.websocket
    if PROTOCOLS[name].own_secret(config):
        return
    wanted = [basic(secret.reveal()) for secret in [section.basic] if secret]
    wanted += [f"Bearer {secret.reveal()}" for secret in [section.token] if secret]
    tokens = (request.headers.get(TELNYX_HEADER), request.query.get("token"), *request.path[1:2])
    shown = [request.headers.get("authorization", ""), *(f"Bearer {token}" for token in tokens if token)]
    # Every pair is compared, so that the time says nothing of which was nearly right.
    right = [same(a, b) for a in wanted for b in shown]
    if wanted and not any(right):
        raise RefusedRequestError("wrong token or password" if any(shown) else "no token or password", 401)


def same(one: str, other: str) -> bool:
    """Return whether two secrets are the same, in a time that does not say where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def basic(secret: str) -> str:
    """Return the Authorization header of user:password (RFC 7617)."""
    return "Basic " + base64.b64encode(secret.encode()).decode()


def dialled(section: WebsocketSection, target: str, host: str) -> str:
    """Return the URL that a peer dialled: that of the proxy where there is one, else what its Host header says."""
    base = section.public_url or f"{'wss' if section.certificate else 'ws'}://{host}"
    return base.rstrip("/") + target
