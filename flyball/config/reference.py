"""The reference page, made from the settings: `python -m flyball.config.reference > docs/configuration.md`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from flyball.config.kinds import KINDS
from flyball.config.policy import PolicyFile
from flyball.config.routes import RoutesFile
from flyball.config.schema import Between, Tree, is_section, keys_of
from flyball.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# Configuration

One directory: `./flyball-config` if it is there, or the one named with `--config DIR`. Every key has a default, so an
empty directory works, and so does none. `flyball check DIR` says what is wrong: file, line, what was found, what is
expected. Every command refuses a configuration in which anything is wrong; unknown keys and YAML files are wrong too.
[SLO files](slos.md) lie beside `flyball.yaml` or in folders below.

```yaml
# flyball.yaml
otlp: {host: 0.0.0.0}
log:
  brokers: [kafka-1:9092, kafka-2:9092]
runs:
  idle: 30m
  escalation_tools: [transfer_to_human_agents, open_ticket]
prices:
  our-own-llama: {input: 0.2, output: 0.6}
attributes: # the form is that of models/spans/attributes.yaml
  columns:
    TENANT: [acme.customer]
```

- **Durations** have a unit: `250ms`, `15m`, `24h`, `1h30m`; units are ns, us, ms, s, m, h, d.
- **Sizes** have a unit: `500kB`, `16MB`, `10GB` are powers of 1000, `16MiB`, `1GiB` of 1024.
- **Paths** that are relative start at the configuration directory.
- **Secrets** stay outside: `${ENV:NAME}` in a value is the environment variable, `${FILE:path}` the content of a file
  without its last line end. `$${` is a plain `${`.
- Numbers stand without quotes. Aliases (`*name`) are refused. Files are UTF-8.

## flyball.yaml
"""

ROUTES = """\
## routes.yaml

Who is told of what. [Alerts](alerts.md) has an example, and says what each sink does with a page.
"""


POLICY = """\
## policy.yaml

What agents may do, and what happens when they do more. [The governor](governor.md) says how.
"""


def reference() -> str:
    """Write the page."""
    tables = [text for _, text in _tables(Settings, "")]
    routes = [text for _, text in _tables(RoutesFile, "")]
    policy = [text for _, text in _tables(PolicyFile, "")]
    return "\n".join([INTRODUCTION, *tables, POLICY, *policy, ROUTES, *routes])


def _tables(kind: type, path: str) -> Iterator[tuple[str, str]]:
    """Yield a table for each section, sections inside sections after it, then the keys that stand at the top."""
    keys = keys_of(kind).values()
    rows = [_row(key.name, key.hint, key.default, key.doc) for key in keys if not is_section(key.hint)]
    if rows:
        yield path, _table(f"### `{path}`" if path else "### at the top", _about(kind) if path else "", rows)
    for key in keys:
        inner = _inner(key.hint)
        if inner is not None:
            name = f"{key.name}.NAME" if get_origin(key.hint) is Mapping else key.name
            yield from _tables(inner, f"{path}.{name}" if path else name)


def _inner(hint: Any) -> type | None:
    """Give the settings class of a section, or of the sections in a mapping or list."""
    candidates = (hint, *(get_args(hint) if get_origin(hint) in (Mapping, tuple) else ()))
    return next((candidate for candidate in candidates if is_section(candidate)), None)


def _about(kind: type) -> str:
    return f"{(kind.__doc__ or '').strip()}\n\n"


def _table(title: str, about: str, rows: list[str]) -> str:
    head = "| key | what | default | meaning |\n|---|---|---|---|\n"
    return f"{title}\n\n{about}{head}" + "\n".join(rows) + "\n"


def _row(name: str, hint: Any, default: Any, doc: str) -> str:
    return f"| `{name}` | {_what(hint)} | {_shown(hint, default)} | {doc} |"


def _what(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if hint in KINDS:
        return KINDS[hint].name.removeprefix("a ").removeprefix("an ")
    if origin is Annotated:
        return f"{_what(args[0])}{_bounds(*args)}"
    if origin is Literal:
        return ", ".join(f"`{arg}`" for arg in args)
    if origin is tuple:
        return "list of " + ("sections" if is_section(args[0]) else _what(args[0]) + "s" * (args[0] in KINDS))
    if hint is Tree or origin is Mapping:
        return "section"
    return ", ".join(_what(arg) for arg in args if arg is not NoneType)


def _bounds(inner: Any, bounds: Between) -> str:
    return f", {bounds.say(KINDS[inner].show)}"


def _shown(hint: Any, value: Any) -> str:
    """Show a default as it would be written."""
    if value is dataclasses.MISSING:
        return "required"
    if value is None:
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    if isinstance(value, dict):
        return "`{}`"
    base = next((arg for arg in (hint, *get_args(hint)) if arg in KINDS), str)
    return f"`{KINDS[base].show(value)}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
