"""The HTTP side of the collector: how it is, what it counts, whom agents must trust, and the API.

    GET /healthz   JSON in words; 200 when it does its work, 503 when something keeps it from that
    GET /metrics   OpenMetrics text for Prometheus
    GET /ca.pem    the root certificate; compare its fingerprint with the one in the token
    /api/v1/...    the API; /api/v1/openapi.json describes it

The first three change nothing and need not know who asks, so it listens on loopback unless the configuration says more.
The API is an application of its own, with errors of its own, mounted here; so is the console, by `app`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from sitewarden_collector.http_api import api
from sitewarden_collector.http_api.gauges import Gauges
from sitewarden_collector.services import health
from sitewarden_collector.web import one_tap
from sitewarden_collector.web.context import Context


def make(context: Context, *, registry: CollectorRegistry, ca_pem: bytes) -> FastAPI:
    """The application. `registry` holds the counters of the whole process; the gauges read from the database at each
    scrape are added to it here, so make one application a registry."""
    app = FastAPI(title="Sitewarden collector", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    db, now_ns = context.db, context.now_ns
    gauges = Gauges(registry)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        try:
            facts = await db.read(health.examine, now_ns=now_ns())
        except Exception as error:  # noqa: BLE001  whatever it is: this page exists to say so
            why = str(error).partition("\n")[0]
            said = f"the database cannot be read: {why}; see that its server runs and its disk is sound"
            return _said("failing", failing=[said], attention=[], facts=None)
        local = context.local()
        verdict = health.judge(facts, local)
        words = {"failing": verdict.failing, "attention": verdict.attention}
        return _said(verdict.status, **words, facts=asdict(facts), process=asdict(local))

    @app.get("/metrics")
    async def metrics() -> Response:
        try:
            gauges.show(await db.read(health.examine, now_ns=now_ns()))
        except Exception:  # noqa: BLE001  the other numbers are still worth their scrape
            gauges.show_nothing()
        gauges.show_process(context.local())
        encode, content_type = choose_encoder("application/openmetrics-text")
        return Response(encode(registry), media_type=content_type)

    @app.get("/ca.pem")
    async def root_certificate() -> PlainTextResponse:
        return PlainTextResponse(ca_pem, media_type="application/x-pem-file")

    app.include_router(one_tap.router)
    app.mount("/api/v1", api.make(context), name="api")
    return app


def _said(status: str, **more: Any) -> JSONResponse:
    return JSONResponse({"status": status, **more}, status_code=503 if status == "failing" else 200)
