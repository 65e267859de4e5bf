"""The redactor as this site configured it: our rules for secrets, the customer's own, and their words.

Promises: a file that cannot be read or used stops everything, because then nothing may leave. The customer's patterns
are run by RE2, which no pattern makes slow, and which is only imported where there are any. Not here: what is found
(`sitewarden_alerting.reading.redact`).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from sitewarden_agent.config import Redact
from sitewarden_agent.errors import ConfigError
from sitewarden_alerting import reading
from sitewarden_alerting.reading import redact_rules
from sitewarden_alerting.reading.redact import Redactor
from sitewarden_alerting.reading.redact_rules import Pattern, Rule, RulesError

OURS = Path(reading.__file__).with_name("secret_rules.toml")
_RULES_MAX_BYTES = 4 * 1024 * 1024


def redactor(settings: Redact, *, key: bytes) -> Redactor:
    """Raises ConfigError when a file that it needs cannot be read or used: then nothing may leave."""
    return Redactor(
        key,
        (*settings.literals, *_literals_in(settings.literals_file)),
        extra_keys=settings.extra_keys,
        pseudonyms=settings.pseudonyms,
        rules=(*redact_rules.parse(OURS.read_text(encoding="utf-8")), *_rules_in(settings.rules_file)),
    )


def _rules_in(path: str | None) -> Sequence[Rule]:
    """The customer's rules. Each pattern is compiled once now, so that a bad one is refused before anything is read."""
    if path is None:
        return ()
    text = _text_of("rules_file", path)
    if len(text) > _RULES_MAX_BYTES:
        raise ConfigError(f"redact.rules_file {path} has more than {_RULES_MAX_BYTES} characters; leave rules out")
    try:
        rules = redact_rules.parse(text, compiled=_linear)
        redact_rules.check(rules)
    except RulesError as error:
        raise ConfigError(f"redact.rules_file {path}: {error}") from None
    importlib.import_module("re2").purge()  # compiled again at the first hit; until then they take no memory
    return rules


def _linear(pattern: str) -> Pattern:
    """A pattern of others: RE2 takes time linear in the text, whatever it says."""
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    compiled: Pattern = re2.compile(pattern, options)
    return compiled


def _literals_in(path: str | None) -> list[str]:
    if path is None:
        return []
    text = _text_of("literals_file", path)
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _text_of(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"redact.{key} {path} cannot be read ({reason}); nothing leaves without it") from None
