"""Reads the configuration from its layers and remembers where each value comes from.

Defaults, then the file, then the environment (MONITOR_ALERTS__ALERT_LLR=3), then flags. The file is --config, else
MONITOR_CONFIG, else ./config.toml where there is one. The whole is validated at once: one clear error names the key
and the layer.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor.config.schema import Config
from monitor.config.section import MASK, Section, holds_secret, is_secret, shown
from monitor.errors import ConfigError

PREFIX = "MONITOR_"
FILE_VARIABLE = "MONITOR_CONFIG"
OTHER_VARIABLES = (FILE_VARIABLE, "MONITOR_KEYS")
"""Variables that begin like settings and are none; MONITOR_KEYS is that of `monitor keys`."""

DEFAULT_FILE = Path("config.toml")

_PASSWORD_IN_URL = re.compile(r"//[^/@\s]*@")

Tree = dict[str, Any]
Flags = Sequence[tuple[str, str, object]]
"""(flag, dotted key, value), later ones win."""


@dataclass(frozen=True)
class Settings:
    """config, and for each dotted key that was set the layer that it comes from, such as "config.toml"."""

    config: Config
    origins: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Yield (key, value, origin) of every setting, in the order of the file; secrets are masked."""
        for key, value in self.config.settings():
            yield key, shown(value), self.origins.get(key, "default")


def load_settings(file: Path | None, environment: Mapping[str, str], flags: Flags = ()) -> Settings:
    """Load the settings from defaults, file, environment and flags; the later wins. Raises ConfigError."""
    merged: Tree = {}
    origins: dict[str, str] = {}
    for origin, layer in _layers(file, environment, flags):
        for key, value in layer.items():
            _put(merged, key, value)
            origins[key] = origin
    try:
        return Settings(Config.model_validate(merged, strict=True), origins)
    except ValidationError as error:
        raise _explained(error, origins) from error


def _layers(
    file: Path | None, environment: Mapping[str, str], flags: Flags
) -> Iterator[tuple[str, Mapping[str, object]]]:
    chosen = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    if chosen is None and DEFAULT_FILE.is_file():
        chosen = DEFAULT_FILE
    if chosen is not None:
        yield str(chosen), _flat(_read(chosen), str(chosen))
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and name not in OTHER_VARIABLES:
            key = name.removeprefix(PREFIX).lower().replace("__", ".")
            if key.startswith("_") or not all(key.split(".")):
                raise ConfigError(
                    f"the environment variable {name} is not a setting", f"settings are {PREFIX}SECTION__KEY=VALUE"
                )
            if "." in key:
                yield f"environment variable {name}", {key: _value(key, text)}
            elif meant := _meant(name):
                hint = f"did you mean {PREFIX}{meant.upper().replace('.', '__')}?"
                raise ConfigError(f"the environment variable {name} is not a setting", hint)
    for flag, key, value in flags:
        yield f"option {flag}", {key: value}


def _read(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", "see https://toml.io for the format") from error


def _flat(tree: Tree, origin: str) -> dict[str, object]:
    flat: dict[str, object] = {}
    for section, values in tree.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{section} in {origin} is outside a section", _sections_hint())
        flat |= dict(_settings(Config.section(section), values, f"{section}."))
    return flat


def _settings(section: type[Section] | None, values: Tree, prefix: str) -> Iterator[tuple[str, object]]:
    """Yield (dotted key, value) of the settings of a section and of those within it."""
    for name, value in values.items():
        within = section.section(name) if section is not None else None
        if within is not None and isinstance(value, dict):
            yield from _settings(within, value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _put(tree: Tree, key: str, value: object) -> None:
    """Set what a dotted key names, in the section that it stands in."""
    section: type[Section] | None = Config
    *path, name = key.split(".")
    for at, part in enumerate(path):
        section = section.section(part) if section is not None else None
        if section is None and at:
            name = ".".join([*path[at:], name])
            break
        tree = tree.setdefault(part, {})
    tree[name] = value


def parse(text: str) -> object:
    """Return a value as TOML would read it; what TOML does not know is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def parse_assignment(text: str) -> tuple[str, object]:
    """Read 'alerts.alert_llr=3' as ('alerts.alert_llr', 3). Raises ConfigError."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise ConfigError(f"--set {text} is not SECTION.KEY=VALUE", "write for instance --set alerts.alert_llr=3")
    return key.strip(), _value(key.strip(), value.strip())


def _value(key: str, text: str) -> object:
    """Read a value; a secret is text whatever it looks like: 0123 and true are passwords too."""
    value = parse(text)
    return text if is_secret(_annotation(key)) and not isinstance(value, str) else value


def _annotation(key: str) -> object:
    """Return the type of the setting that a dotted key names, or stands within; None where there is none."""
    section: type[Section] | None = Config
    for part in key.split("."):
        field = section.model_fields.get(part) if section is not None else None
        if section is None or field is None:
            return None
        section, found = section.section(part), field.annotation
        if section is None:
            return found
    return None


def _known_keys() -> list[str]:
    return [key for key, _ in Config().settings()]


def _sections_hint() -> str:
    return f"the sections are {', '.join(f'[{name}]' for name in Config.model_fields)}"


def _explained(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    """Return the first fault of a configuration, with its key and where the value came from."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    # A pair that cannot go together is named by its section; its keys stand in the message.
    touched = [origin for name, origin in origins.items() if _within(key, name) or _mentions(message, name, key)]
    where = f" ({', '.join(dict.fromkeys(touched))})" if touched else ""
    if first["type"] == "extra_forbidden":
        return _no_such(key, where or f" ({_origin_of_section(key, origins)})")
    given = repr(MASK if holds_secret(_annotation(key)) else first["input"])
    given = _PASSWORD_IN_URL.sub(f"//{MASK}@", given)
    value = "" if isinstance(first["input"], dict) else f" = {given}"
    message = message[:1].lower() + message[1:]
    named = f"{key}{value}{where}".strip()
    return ConfigError(f"{named}: {message}", "'monitor config' lists all settings; a name ends in its unit")


def _within(key: str, name: str) -> bool:
    """Return whether the setting `name` is what a fault at `key` is about: the key itself, or an item of its value."""
    return key == name or key.startswith(f"{name}.")


def _mentions(message: str, name: str, section: str) -> bool:
    """Return whether a message about a section, or about all of them ("") names that key."""
    if section and not name.startswith(f"{section}."):
        return False
    return re.search(rf"\b{re.escape(name.removeprefix(f'{section}.'))}\b", message) is not None


def _origin_of_section(section: str, origins: Mapping[str, str]) -> str:
    return next((origin for name, origin in origins.items() if name.startswith(f"{section}.")), "settings")


def _meant(name: str) -> str | None:
    """Return the setting that a variable without a section seems to mean; None: it is another program's."""
    keys = _known_keys()
    known = {key.replace(".", "_"): key for key in keys} | {key.rpartition(".")[2]: key for key in keys}
    close = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), list(known), n=1, cutoff=0.9)
    return known[close[0]] if close else None


def _no_such(key: str, where: str) -> ConfigError:
    known = _known_keys() if "." in key else list(Config.model_fields)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    what = f"setting {key}" if "." in key else f"section [{key}]"
    hint = f"did you mean {close[0]}? " if close else ""
    return ConfigError(f"there is no {what}{where}", f"{hint}'monitor config' lists all settings")
