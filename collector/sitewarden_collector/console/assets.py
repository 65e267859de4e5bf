"""What the pages need in the browser, as `collector/hatch_build.py` bundled it into `static/`.

Names carry a hash of their content, so browsers may keep them for ever. Where nothing was bundled the pages still work,
without their look, and say what to run.
"""

from __future__ import annotations

import gzip
import json
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from sitewarden_collector.errors import NotFound

FOLDER = Path(__file__).parent / "static"
SMALL_BYTES = 1000  # not worth packing

router = APIRouter()


@lru_cache(maxsize=1)
def manifest() -> dict[str, str]:
    """The bundled files by what the pages call them; empty where there are none."""
    try:
        found = json.loads((FOLDER / "manifest.json").read_text())["files"]
    except (OSError, ValueError, KeyError):
        return {}
    return {str(name): str(file) for name, file in found.items()}


def address(name: str) -> str:
    """Where a page finds an asset; empty where it was not bundled."""
    file = manifest().get(name)
    return f"/static/{file}" if file else ""


@lru_cache(maxsize=64)
def _bytes(file: str, packed: bool) -> bytes:
    content = (FOLDER / file).read_bytes()
    return gzip.compress(content, 6, mtime=0) if packed else content


@router.get("/static/{file}")
async def static(file: str, request: Request) -> Response:
    if file not in {*manifest().values(), "THIRD-PARTY.txt"}:
        raise NotFound(f"there is no file {file}; load the page anew")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    packed = "gzip" in request.headers.get("accept-encoding", "") and len(_bytes(file, False)) > SMALL_BYTES
    if packed:
        headers["Content-Encoding"] = "gzip"
    kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
    return Response(_bytes(file, packed), media_type=kind, headers=headers)
