"""/admin: the settings in force: rules, channels, who signs in how, how long what is kept; and what roles may."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_alerting.majors import MajorPolicy
from sitewarden_alerting.problems import ProblemPolicy
from sitewarden_alerting.reading.severity import Severity
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import rulepacks
from sitewarden_collector.services.access import ALLOWED, Permission, Principal, Role
from sitewarden_collector.services.desk import assigning, majors, problems
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin")

Sets = Annotated[Principal, Depends(need(Permission.SETTINGS_WRITE))]


@router.get("")
async def overview(request: Request, principal: Sets) -> HTMLResponse:
    ctx = context(request)
    rules, wrong = [], ""
    try:
        rulebook = await asyncio.to_thread(rulepacks.load, ctx.config.rules)
        rules = sorted(rulebook.rules, key=lambda rule: rule.name)
    except ConfigError as error:  # the collector goes on with those it started with
        wrong = str(error)
    return page(
        request,
        principal,
        "admin.html",
        config=ctx.config,
        rules=rules,
        rule_packs=[name for name, in_force, _ in rulepacks.overview(ctx.config.rules) if in_force],
        wrong=wrong,
        severities=Severity,
        majors=await ctx.db.read(majors.policy),
        automatic=await ctx.db.read(majors.is_automatic),
        problems=await ctx.db.read(problems.policy),
        assigning=await ctx.db.read(assigning.policy),
        assigning_choices=assigning.POLICIES,
    )


@router.post("/policies")
async def policies(request: Request, principal: Sets) -> Response:
    """What the desk does by itself."""
    ctx = context(request)
    form = await fields(request, principal)
    window_s = 86_400.0 * form.number("days", least=1, most=365)
    problem = ProblemPolicy(
        form.number("problem_sites", least=2, most=10_000), form.number("times", least=2, most=1000), window_s
    )
    major = MajorPolicy(
        form.number("customers", least=2, most=10_000),
        form.number("sites", least=2, most=10_000),
        60.0 * form.number("minutes", least=1, most=10_080),
    )
    await ctx.db.run(problems.set_policy, problem)
    await ctx.db.run(majors.set_policy, major, automatic=form.flag("automatic"))
    await ctx.db.run(assigning.set_policy, form.text("assigning"))
    return done(request, gettext(request, principal, N_("Changed.")), back="/admin")


@router.get("/roles")
async def roles(
    request: Request, principal: Annotated[Principal, Depends(need(Permission.ACCOUNTS_WRITE))]
) -> HTMLResponse:
    return page(request, principal, "admin_roles.html", roles=list(Role), permissions=list(Permission), allowed=ALLOWED)
