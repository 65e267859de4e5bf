"""The description of the API (OpenAPI 3.1), made from the routes: who may, what goes wrong, how to repeat safely."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from sitewarden_collector.http_api.problems import Problem
from sitewarden_collector.services import webhook_events
from sitewarden_collector.web.identity import permission_of

VERSION = "1.0.0"
ABOUT = """\
Tickets, sites and whatever the desk works with, for programs.

**Who you are.** Send `Authorization: Bearer TOKEN`. A token acts for its account and may what its scopes say; a
customer's account sees what is that customer's, and everything else is not there (404).

**Errors** are `application/problem+json` (RFC 9457): `detail` says what to do next, `instance` is the request's id.

**Pages.** Listings give `next_cursor` and `next`: follow it until it is empty. What comes in meanwhile is no trouble.

**Repeating safely.** Send an `Idempotency-Key` with each change, and the same again when you got no answer: it is done
once, and answered as the first time, for 24 hours.

Times are UTC in ISO 8601. Changes within version 1 only add: be ready for fields and values that you do not know.
"""
TAGS = (
    ("tickets", "incidents, service requests, complaints, change requests, and their life"),
    ("problems", "the faults behind incidents, and major incidents"),
    ("sites", "customers' installations, their health and their risks"),
    ("customers", "customers, contacts, contracts and calendars"),
    ("on call", "who is on call, and what people were told"),
    ("silences", "times in which tickets and pages are held back"),
    ("rules", "what opens tickets, and the faults that were seen"),
    ("webhooks", "changes told to other programs"),
    ("alerts in", "alerts of other monitoring become tickets"),
    ("accounts", "who you are, and what was done"),
)


def document(app: FastAPI, routes: Iterable[APIRoute]) -> dict[str, Any]:
    """The whole description of `app`, which serves `routes`."""
    made = get_openapi(
        title="Sitewarden",
        version=VERSION,
        description=ABOUT,
        routes=app.routes,
        servers=[{"url": "/api/v1"}],
        tags=[{"name": name, "description": about} for name, about in TAGS],
    )
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "an API token with scopes"},
        "basic": {"type": "http", "scheme": "basic", "description": "a token as the password; for alerts in alone"},
    }
    made["security"] = [{"token": []}]
    made["webhooks"] = {name: {"post": _told(name, about)} for name, about in webhook_events.every().items()}
    for route in routes:
        _describe(made["paths"][route.path_format], route)
    return made


def _told(name: str, about: str) -> dict[str, Any]:
    """A message to a program that subscribed: signed as Standard Webhooks has it."""
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "description": "the thing as it is after the change"},
        },
    }
    return {
        "operationId": name,
        "summary": about,
        "tags": ["webhooks"],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {
            "2XX": {"description": "taken; everything else is tried again for about a day"},
            "410": {"description": "nothing more is wanted: the webhook is turned off"},
        },
    }


def _describe(operations: dict[str, Any], route: APIRoute) -> None:
    demanded = sorted(permission_of(route))
    for method in route.methods or ():
        operation = operations[method.lower()]
        if demanded:
            operation["x-permissions"] = [one.value for one in demanded]
            needs = f"Needs the scope {' and '.join(f'`{one.value}`' for one in demanded)}."
            operation["description"] = f"{operation.get('description', '')}\n\n{needs}".strip()
        if "alerts in" in operation.get("tags", ()):
            operation["security"] = [{"token": []}, {"basic": []}]
