"""What the server's OpenAPI schema promises, Schemathesis holds it to: requests made from it, good
and bad, and every answer compared with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from doubles import HashEncoder

from kcsearch.collection import Collection
from kcsearch.types import Document

pytest.importorskip("fastapi", reason="needs kcsearch[serve]")
pytest.importorskip("schemathesis", reason="needs schemathesis")

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from kcsearch.server.app import create_app
from kcsearch.server.guard import Rules

TOKEN = "0123456789abcdef"
OPERATIONS = [
    "POST /query",
    "POST /similar",
    "GET /documents/{key}",
    "GET /map",
    "POST /places",
    "GET /status",
    "GET /healthz",
    "POST /documents",
    "DELETE /documents/{key}",
]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.schemas.BaseSchema]:
    path = tmp_path_factory.mktemp("schema") / "notes"
    with Collection(path, encoder=HashEncoder()) as notes:
        notes.add([Document("환불은 사흘 안에", "a"), Document("내일은 비가", "b")])
        app = create_app(notes, rules=Rules(hosts=None, token=TOKEN), writable=True)
        # A body that is too large is refused as such, whatever is in it.
        refused = [400, 403, 404, 405, 413, 415, 421, 422]
        checks = {
            "positive_data_acceptance": {"expected-statuses": [200, 404, 409, 413]},
            "negative_data_rejection": {"expected-statuses": refused},
        }
        config = SchemathesisConfig.from_dict({"checks": checks})
        yield schemathesis.openapi.from_asgi("/openapi.json", app, config=config)


def test_all_operations_are_tried(schema: schemathesis.schemas.BaseSchema) -> None:
    assert sorted(found.ok().label for found in schema.get_all_operations()) == sorted(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_what_the_schema_says(
    label: str, mode: GenerationMode, schema: schemathesis.schemas.BaseSchema
) -> None:
    operations = {found.ok().label: found.ok() for found in schema.get_all_operations()}
    requests = operations[label].as_strategy(generation_mode=mode)

    @given(case=requests)
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

    with suppress(Unsatisfiable):  # what takes no input cannot be asked wrongly
        check()
