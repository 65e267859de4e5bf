"""What a file really is, by its first bytes, and whether its name says the same."""

from __future__ import annotations

from pathlib import PurePosixPath

from sitewarden_collector.errors import Invalid

# The first bytes, the type, and the endings of names that go with it.
_MAGIC: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png", ("png",)),
    (b"\xff\xd8\xff", "image/jpeg", ("jpg", "jpeg")),
    (b"GIF87a", "image/gif", ("gif",)),
    (b"GIF89a", "image/gif", ("gif",)),
    (b"%PDF-", "application/pdf", ("pdf",)),
    (b"PK\x03\x04", "application/zip", ("zip", "docx", "xlsx", "pptx", "odt", "ods")),
    (b"\x1f\x8b", "application/gzip", ("gz", "tgz")),
    (b"\x28\xb5\x2f\xfd", "application/zstd", ("zst",)),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", ("7z",)),
    (b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap", ("pcap",)),
)
_TEXT = {"txt": "text/plain", "log": "text/plain", "md": "text/plain", "out": "text/plain", "conf": "text/plain"} | {
    "csv": "text/csv",
    "json": "application/json",
    "xml": "text/plain",
    "yaml": "text/plain",
    "yml": "text/plain",
    "toml": "text/plain",
    "ini": "text/plain",
    "sql": "text/plain",
    "html": "text/plain",  # never served as what a browser would run
}
KNOWN = tuple(sorted({ending for _, _, endings in _MAGIC for ending in endings} | {*_TEXT, "webp"}))


def media_type(name: str, content: bytes) -> str:
    """The type of a file. Raises Invalid for a type that is not taken, and for a name that says another one."""
    ending = PurePosixPath(name.lower()).suffix.removeprefix(".")
    if ending not in KNOWN:
        raise Invalid(f"{name}: files of this kind are not taken; taken are {', '.join(KNOWN)}")
    found, endings = _sniffed(content)
    if ending not in endings:
        raise Invalid(f"{name} is not what its name says: its content is {found}; give it the right name")
    return _TEXT.get(ending, found)


def _sniffed(content: bytes) -> tuple[str, tuple[str, ...]]:
    for magic, found, endings in _MAGIC:
        if content.startswith(magic):
            return found, endings
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp", ("webp",)
    if content.startswith((b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe")):
        return "a program", ()
    return ("of no known kind", ()) if b"\x00" in content else ("text", tuple(_TEXT))
