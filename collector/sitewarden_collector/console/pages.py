"""Making a page: the templates of each language with what all of them may use, and the answers of forms.

`page` renders a whole page or a fragment of one. `done` answers a form that was taken: htmx gets a toast and the event
`changed`, upon which the page fetches its parts anew; a browser without scripts is sent back to the page, which then
shows the same words.
"""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote, unquote, urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sitewarden_alerting.wording import quantity
from sitewarden_collector.console import assets, i18n, moments, navigation, words
from sitewarden_collector.services import sentences
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.page_language import ticket_title
from sitewarden_collector.web.context import context
from sitewarden_collector.web.csrf import csrf_token

FLASH = "said"


@lru_cache(maxsize=len(i18n.LOCALES))
def environment(locale: str) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=PackageLoader("sitewarden_collector.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    made.policies["ext.i18n.trimmed"] = True
    translations = i18n.translations(locale)
    made.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {
        "asset": assets.address,
        "icon": icon,
        "lang": locale,
        "languages": i18n.NAMES,
        "may": Permission,
        "word": partial(words.word, locale=locale),
        "span": partial(moments.span, locale=locale),
        "iso": moments.iso,
        "quantity": lambda value, series: quantity(round(value, 3), series),
        "named": partial(words.named, locale=locale),
        "same": lambda values: [(value, value) for value in values],
    }
    return made


def icon(name: str, more: str = "") -> Markup:
    """An icon of the sprite (assets/icons.txt)."""
    return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>').format(
        more, assets.address("icons.svg"), name
    )


def page(
    request: Request,
    principal: Principal | None,
    template: str,
    *,
    status: int = 200,
    site_zone: str = "",
    **shown: Any,
) -> HTMLResponse:
    """`template` for whoever asks, in their language and zone, with `shown`. On the page of one site its own time
    stands beside (`site_zone`)."""
    locale = i18n.language(request, principal)
    zone = moments.zone_of(request, principal)
    now_ns = context(request).now_ns()
    common: dict[str, Any] = {
        "request": request,
        "principal": principal,
        "csrf": csrf_token(request),
        "zone": zone,
        "now_ns": now_ns,
        "nav": navigation.shown(principal, request.url.path),
        "flash": unquote(request.cookies.get(FLASH, "")),
        "url": partial(url, request),
        "when": partial(moments.moment, locale=locale, zone=zone, site_zone=site_zone),
        "wall": partial(moments.wall, zone=zone),
        "clock_time": partial(moments.clock_time, zone=zone),
        "ago": partial(moments.ago, now_ns=now_ns, locale=locale, zone=zone),
        "titled": partial(ticket_title, context(request).rulebook, language=locale),
        "guide_of": partial(words.rule_guide, context(request).rulebook, language=locale),
        "told": partial(sentences.said, language=locale),
        "countdown": partial(moments.countdown, now_ns=now_ns, locale=locale),
    }
    text = environment(locale).get_template(template).render(common | shown)
    response = HTMLResponse(text, status_code=status)
    if common["flash"] and not is_htmx(request):
        response.delete_cookie(FLASH, path="/")
    if request.query_params.get("lang") == locale:
        response.set_cookie(i18n.COOKIE, locale, max_age=365 * 86_400, samesite="lax", path="/")
    return response


def is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def url(request: Request, **changes: Any) -> str:
    """This page's address with some of its query changed; None takes a parameter out. The page number starts anew."""
    query = {key: value for key, value in request.query_params.multi_items() if key not in ("page", "lang", "part")}
    query |= changes
    kept = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path


def told(request: Request, principal: Principal | None, text: str) -> str:
    """A sentence of a rule, a service or an error in the reader's language."""
    return sentences.said(text, i18n.language(request, principal))


def gettext(request: Request, principal: Principal | None, text: str, **values: Any) -> str:
    """A text of code in the reader's language, with values put in."""
    said = i18n.translations(i18n.language(request, principal)).gettext(text)
    return said % values if values else said


def done(request: Request, text: str, *, back: str, kind: str = "success") -> Response:
    """A form was taken: say so, and have the page show what is now. `back` is where a browser without htmx goes."""
    if is_htmx(request):
        said = {"said": {"text": quote(text), "kind": kind}, "changed": {}}
        return Response(status_code=204, headers={"HX-Trigger": json.dumps(said)})
    return go(back, text=text)


def moved(request: Request, to: str, *, text: str = "") -> Response:
    """A form was taken and the reader goes on at another page, with htmx or without."""
    if not is_htmx(request):
        return go(to, text=text)
    response = Response(status_code=204, headers={"HX-Redirect": to})
    if text:
        response.set_cookie(FLASH, quote(text), max_age=30, samesite="lax", path="/")
    return response


def go(to: str, *, text: str = "") -> RedirectResponse:
    """Go on at another page of ours, which shows `text` once."""
    response = RedirectResponse(to, status_code=303)
    if text:
        response.set_cookie(FLASH, quote(text), max_age=30, samesite="lax", path="/")
    return response
