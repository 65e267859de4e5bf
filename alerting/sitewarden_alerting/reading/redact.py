"""Takes secrets and personal data out of log records before they reach the disk or the wire.

`Redactor.redact(text)` puts a keyed pseudonym in place of each finding: `<kind:16 hex>`, HMAC-SHA256 under the site's
key, so the same value is the same token everywhere at this site and nobody without the key can guess it back. Running
it twice brings nothing back, and takes out more only of odd text. It works in time linear in the text; clean text
costs a few substring searches.

It is best effort, not a promise: what a program writes in a shape that nothing here knows, and that the customer did
not list as a literal, passes. An error inside raises `RedactionError`, whose message never holds the text; the
caller drops the record and says so. Reading keys, files and configuration is not here, nor is the masking of templates.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal
from urllib.parse import quote

from sitewarden_alerting.reading import header, redact_encoded, redact_personal, redact_secrets, redact_values, shapes
from sitewarden_alerting.reading.redact_rules import Rule, Shapes

KINDS = ("secret", "literal", "mail", "phone", "id", "ip", "user")

Hinges = Literal["all", "addresses", "nothing"]

_MIN_LITERAL = 3
_ADDRESSES_MAX = 2_048
_STANDS_ALONE = 5


class RedactionError(Exception):
    """Redaction failed; the record must not leave. The message never holds text of the record."""


class Redactor:
    """Redacts one record at a time; remembers nothing but pseudonyms, and may be shared by threads.

    `key` is the site's secret (empty: tokens can be guessed back by trying values, good only where nothing leaves).
    `literals` are the customer's own words, found in any case, also URL-encoded, JSON-escaped and in base64.
    `extra_keys` are key names (of JSON, YAML, key=value, headers, XML) whose values are secret here.
    `pseudonyms` are the kinds to take out; secrets and literals are always taken out. `rules` are the shapes of tokens.
    """

    def __init__(
        self,
        key: bytes = b"",
        literals: Iterable[str] = (),
        *,
        extra_keys: Iterable[str] = (),
        pseudonyms: Iterable[str] = KINDS,
        rules: Sequence[Rule] = redact_secrets.COMMON,
    ) -> None:
        kinds = frozenset(pseudonyms) | {"secret", "literal"}
        if unknown := kinds - set(KINDS):
            raise ValueError(f"unknown kinds of pseudonym: {', '.join(sorted(unknown))}; known are {', '.join(KINDS)}")
        self._key = key
        self._addresses: dict[str, str] = {}
        self._literals = _Literals(literals)
        extra = tuple(name.lower() for name in extra_keys)
        self._secret_keys = redact_values.Keys((*redact_values.SECRET_KEYS, *extra))
        self._secret_needles = (*redact_values.SECRET_NEEDLES, *extra)
        self._user_keys = redact_values.Keys(redact_values.USER_KEYS)
        self._user_needles = redact_values.USER_NEEDLES if "user" in kinds else ()
        self._personal = redact_personal.Finder(kinds)
        self._shapes = Shapes(rules)
        self._never_inert = self._shapes.runs_always or any(c.isdigit() for key in extra for c in key)
        self._numbered_needles = tuple(
            shapes.masked(needle).decode("utf-8", "surrogatepass")
            for needle in (*self._literals.needles, *self._shapes.keywords)
        )

    def redact(self, text: str) -> str:
        """`text` with every finding replaced by its pseudonym. Raises RedactionError."""
        try:
            if "\x1b" in text:
                text = header.COLOURS.sub("", text)
            text = level = self._deep(text)
            for _ in range(redact_encoded.LEVELS):
                if redact_encoded.ESCAPES.search(level) is None:
                    break
                below = redact_encoded.unescaped(level)
                level = self._deep(below)
                if level != below:
                    text = level  # told as it reads, because in its escapes the finding would stay
            return text
        except Exception as error:  # noqa: BLE001 - whatever it is, the record stays here
            raise RedactionError(f"redaction failed ({type(error).__name__}); the record was not kept") from None

    __call__ = redact

    def _plain(self, text: str) -> str:
        """`text` with what is found in it as it stands."""
        lowered = text.lower()
        if self._literals.in_text(lowered):
            text = self._literals.replace(text, self._token)
            lowered = text.lower()
        text = redact_secrets.replace_secrets(text, lowered, self._token, shapes=self._shapes)
        if _any_in(self._secret_needles, lowered):
            text = redact_values.replace_secret_values(text, self._secret_keys, self._token)
        if _any_in(self._user_needles, lowered):
            text = redact_values.replace_user_values(text, self._user_keys, self._token)
        return self._personal.replace(text, lowered, self._token)

    def _deep(self, text: str) -> str:
        """`text` with what is found in it, and in its runs of hexadecimal and base64."""
        text = redact_encoded.replace_hexadecimal(text, self._finds, self._token)
        return redact_encoded.replace_base64(self._plain(text), self._finds, self._token)

    def _finds(self, text: str) -> bool:
        return self._plain(text) != text

    def hinges(self, text: str) -> Hinges:
        """What may be found in a text that differs from `text` in digits alone, and only for its digits."""
        shape = shapes.masked(text).decode("utf-8", "surrogatepass")
        if (
            redact_personal.HINGES_ON_DIGITS.search(shape) is not None
            or redact_encoded.hinges_on_digits(shape)
            or shape.count(":") >= 7
            or self._never_inert
            or _any_in(self._numbered_needles, shape.lower())
        ):
            return "all"
        return "addresses" if redact_personal.MAY_BE_ADDRESS.search(shape) is not None else "nothing"

    def addresses(self, text: str) -> str:
        """`text` with IP addresses replaced, and nothing else."""
        return self._personal.addresses(text, self._token)

    def _token(self, kind: str, value: str) -> str:
        """The pseudonym of `value`. Those of addresses are kept for a while: a few come again and again."""
        if kind != "ip":
            return self._made(kind, value)
        known = self._addresses.get(value)
        if known is None:
            if len(self._addresses) >= _ADDRESSES_MAX:
                self._addresses.clear()
            known = self._addresses[value] = self._made(kind, value)
        return known

    def _made(self, kind: str, value: str) -> str:
        message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self._key, message, "sha256") if self._key else hashlib.sha256(message).digest()
        return f"<{kind}:{digest[:8].hex()}>"


class _Literals:
    """The customer's own words. Each is looked for in any case, and in the encodings that logs put words in."""

    def __init__(self, literals: Iterable[str]) -> None:
        plain: dict[str, str] = {}  # what to look for, lower case -> the literal it stands for
        encoded: dict[str, str] = {}  # case matters in base64
        for literal in {literal.strip() for literal in literals}:
            if len(literal) < _MIN_LITERAL:
                continue  # one or two characters would tear up every line
            value = literal.lower()
            for form in (
                literal,
                quote(literal, safe=""),
                quote(literal),
                literal.replace("\\", "\\\\").replace('"', '\\"'),
            ):
                plain.setdefault(form.lower(), value)
            for form in _base64_forms(literal):
                encoded.setdefault(form, value)
        self._plain, self._encoded = plain, encoded
        self._any_case = _alternatives(plain, re.IGNORECASE)
        self._same_case = _alternatives(encoded, 0)
        self.needles = tuple(plain) + tuple(form.lower() for form in encoded)

    def in_text(self, lowered: str) -> bool:
        return _any_in(self.needles, lowered)

    def replace(self, text: str, token: Callable[[str, str], str]) -> str:
        if self._any_case is not None:
            text = self._any_case.sub(lambda m: token("literal", self._plain.get(m[0].lower(), m[0].lower())), text)
        if self._same_case is not None:
            text = self._same_case.sub(lambda m: token("literal", self._encoded[m[0]]), text)
        return text


def _any_in(needles: tuple[str, ...], lowered: str) -> bool:
    for needle in needles:  # noqa: SIM110 - half the time of any() with a generator
        if needle in lowered:
            return True
    return False


def _alternatives(forms: Iterable[str], flags: int) -> re.Pattern[str] | None:
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(_bounded, longest_first)), flags) if longest_first else None


def _bounded(form: str) -> str:
    """A short word counts only where it stands alone: `Ann` must not tear up `annotation`."""
    return rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])" if len(form) < _STANDS_ALONE else re.escape(form)


def _base64_forms(literal: str) -> list[str]:
    """The characters that base64 of any text around `literal` must contain, for each of the three alignments."""
    raw = literal.encode()
    if len(raw) < 8:
        return []  # what is left of a short word also occurs by chance
    forms = []
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        first = (shift * 8 + 5) // 6  # characters that also hold bits of what stands before
        last = (shift + len(raw)) * 8 // 6  # and after
        forms.append(text[first:last])
    return forms
