"""The API against everything that its own description allows, and much that it does not: no server error, ever, and no
answer that the description does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sitewarden_collector.config import Config, Rules
from sitewarden_collector.services import evaluation, intake, policies, rulepacks
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests.cast import NOON, batch, error_line, probe, settle_agent
from tests.desk import bearer, make_app, make_context

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 3  # of each operation; `make fuzz` tries more of other doors


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Database]:
    """A desk with two tickets."""
    db = Database(f"sqlite:///{tmp_path / 'collector.db'}")
    tables().create_all(db.engine)
    agent = db.write_now(settle_agent)
    db.write_now(intake.accept, agent.id, batch=batch(1, error_line(), probe(False)), now_ns=NOON)
    db.write_now(evaluation.step, rulepacks.load(Rules()), policies.policy_of(Config()), now_ns=NOON)
    yield db
    db.close()


@pytest.mark.timeout(300)
def test_nothing_breaks_the_api(desk: Database) -> None:
    headers = bearer(desk, "admin")
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", make_app(make_context(desk)))
    broken: list[str] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
        def holds(case: Case[Any]) -> None:
            case.validate_response(case.call(headers=headers), checks=CHECKS)

        try:
            holds()
        except Exception as error:  # every broken operation is told, not the first alone
            broken.append(f"{operation.label}: {error}"[:2000])
    assert broken == []
