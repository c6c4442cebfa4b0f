"""The API against its own description: generated requests, valid and not, to a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from call_events import EPOCH, a_call, write_journal
from helpers import settings as words
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from web_server import Served, serving_page

from monitor.call_history.kept_call import call_id

if TYPE_CHECKING:
    import schemathesis

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

LIMITS = words("api.requests_per_s=10000", "api.requests_at_once=100000", "api.max_scores=2", "web.max_clients=100")
KNOWN = call_id(EPOCH, "a")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("api")
    write_journal(folder / "journal", list(a_call()))
    with serving_page(folder, "--journal", "journal", *LIMITS) as page:
        yield page


@pytest.fixture(scope="module")
def description(served: Served) -> schemathesis.BaseSchema:
    import schemathesis

    return schemathesis.openapi.from_url(f"{served.address}api/v1/openapi.json")


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_every_answer_is_as_described(
    description: schemathesis.BaseSchema, served: Served, mode: Literal["POSITIVE", "NEGATIVE"]
) -> None:
    from schemathesis.generation import GenerationMode

    operations = [found.ok() for found in description.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:

        @given(case=operation.as_strategy(generation_mode=GenerationMode[mode]))
        @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def ask(case: schemathesis.Case) -> None:
            if case.path.startswith("/calls/") and re.fullmatch(
                f"[0-9a-f]{{{len(KNOWN)}}}", str(case.path_parameters.get("id"))
            ):
                case.path_parameters["id"] = KNOWN
            case.call_and_validate()

        try:
            ask()
        except Unsatisfiable:  # they take nothing that could be wrong
            assert mode == "NEGATIVE"
            assert operation.label in ("GET /health", "GET /scores")
    assert served.monitor.process.poll() is None


def test_the_description_names_every_route_and_its_version(served: Served) -> None:
    result = json.loads(served.request("/api/v1/openapi.json")[2])
    assert result["openapi"].startswith("3.")
    assert result["servers"] == [{"url": "/api/v1"}]
    described = {(method.upper(), path) for path, found in result["paths"].items() for method in found}
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    for method, path in described:
        assert f"{method} {path}" in text or path.rpartition("/")[2] in text, (method, path)
