"""What is reached by a secret address instead of a sign-in: acknowledging from a page's link, and calendars.

    GET  /a/{token}         asks whether to acknowledge; changes nothing, so a preview of the link does no harm
    POST /a/{token}         acknowledges; answers JSON to those who ask for it, as a webhook does
    GET  /ical/{token}.ics  the coming shifts of a person or of a schedule

The page loads nothing from anywhere, works without scripts on any telephone, and speaks the person's language. Only
what somebody does by hand posts: link previews and mail scanners fetch. A token that is not ours is answered as one
whose time is over, with 404.
"""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from sitewarden_collector.errors import Invalid, NotFound
from sitewarden_collector.services import acknowledging, shift_calendars
from sitewarden_collector.services.acknowledging import Asked
from sitewarden_collector.web.context import context

router = APIRouter(include_in_schema=False)

SHOWN_MAX = 20
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
WORDS = {
    "en": {
        "ask": "{person}, will you take this?",
        "button": "Acknowledge",
        "taken": "Yours now. No further page goes out.",
        "others": "Taken already by {by}. No further page goes out.",
        "over": "Nothing is left to acknowledge: it is solved.",
        "more": "and {n} more",
        "invalid": "This link is not valid any more.",
        "invalid_more": "Sign in to the console, or type: sitewarden ticket ack NUMBER",
    },
    "zh": {
        "ask": "{person}，是否由您接手？",
        "button": "确认接手",
        "taken": "已由您接手，不再发送呼叫。",
        "others": "{by} 已接手，不再发送呼叫。",
        "over": "已解决，无需确认。",
        "more": "另有 {n} 个",
        "invalid": "此链接已失效。",
        "invalid_more": "请登录控制台，或执行：sitewarden ticket ack 编号",
    },
}
_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1.5rem;color:#182433;"
    "background:#f6f8fb}h1{font-size:1.3rem}ul{padding-left:1.1rem}li{overflow-wrap:anywhere;margin:.3rem 0}"
    "button{font:inherit;font-weight:600;width:100%;padding:1rem;border:0;border-radius:.6rem;color:#fff;"
    "background:#0a58ca}b{white-space:nowrap}@media(prefers-color-scheme:dark){body{color:#dce4ee;background:#10161f}}"
)


@router.get("/a/{token}")
async def ask(request: Request, token: str) -> Response:
    """Ask whether to acknowledge."""
    ctx = context(request)
    try:
        asked = await ctx.db.read(acknowledging.look, ctx.secret, token, now_ns=ctx.now_ns())
    except NotFound:
        return _invalid(request)
    return _page(asked, taken=False)


@router.post("/a/{token}")
async def take(request: Request, token: str) -> Response:
    """Acknowledge in the name of the person to whom the link was sent."""
    ctx = context(request)
    as_json = "application/json" in request.headers.get("accept", "")
    try:
        asked = await ctx.db.run(acknowledging.acknowledge, ctx.secret, token, now_ns=ctx.now_ns())
    except NotFound as error:
        if as_json:
            said = {"title": "Not found", "status": 404, "detail": str(error)}
            return JSONResponse(said, status_code=404, headers=HEADERS, media_type="application/problem+json")
        return _invalid(request)
    ctx.wake()
    if as_json:
        taken = [ticket.number for ticket in asked.open]
        return JSONResponse({"acknowledged": taken, "person": asked.person}, headers=HEADERS)
    return _page(asked, taken=bool(asked.open))


@router.get("/ical/{token}.ics")
async def calendar(request: Request, token: str) -> Response:
    """The coming shifts of a person or of a schedule, for a calendar that subscribes to them."""
    ctx = context(request)
    try:
        text = await ctx.db.read(shift_calendars.ical_of, token, now_ns=ctx.now_ns())
    except (NotFound, Invalid):
        return Response("there is no such calendar\n", status_code=404, media_type="text/plain", headers=HEADERS)
    return Response(text, media_type="text/calendar; charset=utf-8", headers=HEADERS)


def _page(asked: Asked, *, taken: bool) -> HTMLResponse:
    words = WORDS.get(asked.locale[:2], WORDS["en"])
    shown = asked.open or asked.tickets
    lines = [f"<li><b>{escape(one.number)}</b> {escape(one.title)}</li>" for one in shown[:SHOWN_MAX]]
    if len(shown) > SHOWN_MAX:
        lines.append(f"<li>{escape(words['more'].format(n=len(shown) - SHOWN_MAX))}</li>")
    button = ""
    if taken:
        title = words["taken"]
    elif asked.open:
        title = words["ask"].format(person=asked.person)
        button = f'<form method="post"><button>{escape(words["button"])}</button></form>'
    else:
        title = words["others"].format(by=", ".join(asked.by)) if asked.by else words["over"]
    return _html(asked.locale, title, f"<ul>{''.join(lines)}</ul>{button}", status=200)


def _invalid(request: Request) -> HTMLResponse:
    locale = "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"
    words = WORDS[locale]
    return _html(locale, words["invalid"], f"<p>{escape(words['invalid_more'])}</p>", status=404)


def _html(locale: str, title: str, inside: str, *, status: int) -> HTMLResponse:
    lang = "zh-CN" if locale.startswith("zh") else "en"
    text = (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{inside}</body></html>"
    )
    return HTMLResponse(text, status_code=status, headers=HEADERS)
