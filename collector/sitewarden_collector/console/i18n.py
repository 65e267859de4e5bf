"""The console's languages: English and Simplified Chinese, by gettext catalogs under `locales/`.

Catalogs are compiled when they are first used, in memory. Texts in templates stand in `_()`, those in code too, or in
`N_()` where they are translated later. After a change of texts: `python -m sitewarden_collector.console.i18n` brings
the catalogs up to date; what is then untranslated fails a test.
"""

from __future__ import annotations

import io
import sys
from functools import lru_cache
from pathlib import Path

from babel.core import negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import Translations
from fastapi import Request

from sitewarden_collector.services.access import Principal

LOCALES = ("en", "zh")
NAMES = {"en": "English", "zh": "中文"}
COOKIE = "lang"
CONSOLE = Path(__file__).parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]


def N_(text: str) -> str:
    """Marks a text that is translated where it is shown."""
    return text


def catalog_path(locale: str) -> Path:
    return CONSOLE / "locales" / locale / "LC_MESSAGES" / "messages.po"


def read_catalog(locale: str) -> Catalog:
    with catalog_path(locale).open("rb") as file:
        return read_po(file, locale=locale)


@lru_cache(maxsize=len(LOCALES))
def translations(locale: str) -> Translations:
    """The texts of a language."""
    compiled = io.BytesIO()
    write_mo(compiled, read_catalog(locale))
    compiled.seek(0)
    return Translations(compiled, domain="messages")


def language(request: Request, principal: Principal | None) -> str:
    """What was chosen in this browser, else the account's language, else what the browser asks for."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if chosen in LOCALES:
            return chosen
    if principal is not None and principal.locale in LOCALES:
        return principal.locale
    wanted = [part.partition(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    found = negotiate_locale([one.replace("-", "_").partition("_")[0] for one in wanted if one], LOCALES)
    return found or "en"


def extracted() -> Catalog:
    """All texts of templates and code, as they stand."""
    made = Catalog(project="Sitewarden", charset="utf-8")
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
    options = {
        "templates/**.html": {
            "trimmed": "true",
            "silent": "false",
            "extensions": "jinja2.ext.do,jinja2.ext.loopcontrols",
        }
    }
    for file, _line, message, comments, context in extract_from_dir(
        CONSOLE, METHODS, options, keywords=keywords, directory_filter=lambda path: Path(path).name != "static"
    ):
        made.add(message, None, [(file, 0)], auto_comments=comments, context=context)
    return made


def renew() -> dict[str, list[str]]:
    """Bring the catalogs up to date; what each language lacks. English says what the source says."""
    lacking: dict[str, list[str]] = {}
    for locale in LOCALES:
        path = catalog_path(locale)
        catalog = read_catalog(locale) if path.exists() else Catalog(locale=locale, charset="utf-8")
        catalog.update(extracted(), no_fuzzy_matching=True)
        catalog.obsolete.clear()
        lacking[locale] = []
        for message in catalog:
            if not message.id:
                continue
            if locale == "en":
                message.string = message.id
            elif not message.string or (isinstance(message.string, tuple) and not all(message.string)):
                lacking[locale].append(message.id if isinstance(message.id, str) else message.id[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalog, width=0, omit_header=True, no_location=True, sort_output=True)
    return lacking


if __name__ == "__main__":
    for locale, texts in renew().items():
        for text in texts:
            sys.stdout.write(f"{locale}: {text}\n")
