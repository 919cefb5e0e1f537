"""The page's own files: read once, served to anyone, with headers that let nothing else run or be asked."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from control.http.core import Answer, Refused

if TYPE_CHECKING:
    from control.http.core import Request

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class File(NamedTuple):
    """One file as it is served."""

    body: bytes
    kind: str
    tag: str


async def page(request: Request) -> Answer:
    """Give the page."""
    return _give(request, "index.html")


async def own(request: Request) -> Answer:
    """Give one of the page's scripts or styles."""
    return _give(request, request.name)


async def vendor(request: Request) -> Answer:
    """Give a file of a library."""
    return _give(request, f"vendor/{request.name}")


async def move(_: Request) -> Answer:
    """Lead to the page."""
    return Answer(None, 307, {"Location": "/console/"})


def _give(request: Request, name: str) -> Answer:
    found = _files().get(name)
    if found is None:
        raise Refused(404, "not_found", "the console has no such file")
    headers = {**HEADERS, "ETag": found.tag}
    if request.headers.get(b"if-none-match", b"").decode("latin-1") == found.tag:
        return Answer(None, 304, headers, found.kind)
    return Answer(found.body, 200, headers, found.kind)


@cache
def _files() -> dict[str, File]:
    """Read the files that are served, by name."""
    folder = files("control.console").joinpath("static")
    found: dict[str, File] = {}
    for prefix, place in (("", folder), ("vendor/", folder.joinpath("vendor"))):
        for each in place.iterdir():
            kind = _KINDS.get(each.name.rpartition(".")[2])
            if kind is not None and each.is_file():
                body = each.read_bytes()
                found[prefix + each.name] = File(body, kind, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
    return found
