"""The redactor as this site configured it. Not here: what it finds (`sitewarden_alerting.reading.redact`)."""

from __future__ import annotations

from pathlib import Path

from sitewarden_agent.config import Redact
from sitewarden_agent.errors import ConfigError
from sitewarden_alerting.reading.redact import Redactor


def redactor(settings: Redact, *, key: bytes) -> Redactor:
    """Raises ConfigError when the file of literals cannot be read: then nothing may leave."""
    return Redactor(
        key,
        (*settings.literals, *_literals_in(settings.literals_file)),
        extra_keys=settings.extra_keys,
        pseudonyms=settings.pseudonyms,
    )


def _literals_in(path: str | None) -> list[str]:
    if path is None:
        return []
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"redact.literals_file {path} cannot be read ({reason}); nothing leaves without it") from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
