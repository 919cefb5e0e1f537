"""The description that is served is true: schemathesis makes requests of it, and holds every answer against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from control.http.app import ENDPOINTS
from control.http.core import VIEW_OR_EVALUATE
from control.http.openapi import describe
from control.keys import EVALUATE

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAMS = ("/v1/signals/stream", "/ofrep/v1/events", "/v1/console/events")
TRIED = [each for each in ENDPOINTS if each.path not in STREAMS]  # a stream has no end to hold against anything


@pytest.fixture(scope="module")
def shared(planes: Any, tmp_path_factory: Any) -> Iterator[Any]:
    """Give a control plane that the tests of this module share."""
    with planes.Served(tmp_path_factory.mktemp("openapi"), rate=1e6) as served:
        yield served


def test_the_description_is_served_and_complete(shared: Any) -> None:
    """Every route of the table is described, with who may call it, its body and its answers."""
    status, said, _ = shared.ask("GET", "/openapi.json")
    assert (status, said) == (200, describe(ENDPOINTS))
    for endpoint in ENDPOINTS:
        operation = said["paths"][endpoint.path][endpoint.method.lower()]
        assert endpoint.needs in operation["description"]
        assert {"400", "401", "403"} <= operation["responses"].keys()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("endpoint", TRIED, ids=lambda each: f"{each.method} {each.path}")
def test_every_answer_is_as_described(shared: Any, endpoint: Any) -> None:
    """Requests that fit the description, and such that do not: never a 5xx but 503 and 504, always as described."""
    schema = schemathesis.openapi.from_dict(describe(ENDPOINTS))
    operation = schema[endpoint.path][endpoint.method]
    key = shared.agent if endpoint.needs in (EVALUATE, VIEW_OR_EVALUATE) else shared.admin
    modes = st.sampled_from([schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data(), modes)
    def check(data: st.DataObject, mode: Any) -> None:
        if mode is schemathesis.GenerationMode.NEGATIVE and not (operation.body or operation.query):
            return
        case = data.draw(operation.as_strategy(generation_mode=mode))
        url = f"http://127.0.0.1:{shared.port}"
        response = case.call(base_url=url, headers={"Authorization": f"Bearer {key}"})
        assert response.status_code not in (500, 502)
        checks = [content_type_conformance, response_schema_conformance, status_code_conformance]
        if response.status_code != 405:
            case.validate_response(response, checks=checks)

    check()
