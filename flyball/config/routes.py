# ruff: noqa: RUF009, TC001, TC003 -- `key` declares a field as `dataclasses.field` does; the types are read at run time
"""The keys of `routes.yaml`: who is told of what. A key is one line: type, default, meaning."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from alerts.grouping import FIELDS
from alerts.sinks import TYPES
from flyball.config.schema import Between, Wrong, key, required, section
from flyball.config.secrets import Secret
from flyball.config.units import Clock, Duration, duration
from models.incidents.classes import OWNERS

_Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[_Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_Group = Literal["class", "rule", "workflow", "tenant", "owner"]
Timeout = Annotated[Duration, Between(duration("100ms"), duration("60s"))]
Rate = Annotated[float, Between(0.001, 100_000)]
Update = Annotated[Duration, Between(duration("1s"), duration("24h"))]
DEFAULT_GROUP: tuple[_Group, ...] = ("class", "rule", "workflow")


_KEYED = ("pagerduty", "opsgenie", "alertmanager")
"""Types whose secret is sent as it is: one with a line end at its end, as `echo` writes it, would be refused."""


def _is_address(text: str) -> bool:
    """Tell whether it is an address that a request can be sent to."""
    try:
        found = parse_url(text)
    except LocationParseError:
        return False
    return text.startswith(("https://", "http://")) and bool(found.host) and text.isprintable() and " " not in text


def _trouble(ca: Path) -> str | None:
    """Say why a file cannot be trusted as certificates; None: it can."""
    if not ca.is_file():
        return f"no file {ca}"
    try:
        ssl.create_default_context(cafile=str(ca))
    except OSError:  # an SSLError is one
        return f"no certificate that can be read in {ca}"
    return None


@dataclass(frozen=True)
class SinkKeys:
    """A service that pages are delivered to."""

    name: str = required("name by which routes call it; stays the same, or what waits for it is parked")
    type: str = required("pagerduty, alertmanager, slack, opsgenie, webhook or stdout")
    url: str | None = key(None, "address; pagerduty and opsgenie have one, slack has its own in `secret`")
    secret: Secret | None = key(
        None,
        "by reference only. pagerduty: routing key; slack: address of the webhook; opsgenie: API key; "
        "webhook: key of the signature; alertmanager: value of the Authorization header",
    )
    ca: Path | None = key(None, "file of certificates to trust, instead of the system's")
    timeout: Timeout = key(duration("10s"), "how long an answer may take")
    rate: Rate | None = key(None, "deliveries a second at most; without it, what the service takes")

    def wrong(self) -> Iterator[Wrong]:
        """Yield what this type of sink needs, or has no use for."""
        if self.type not in TYPES:
            yield Wrong("type", f"'{self.type}'", f"one of {', '.join(TYPES)}")
            return
        kind = TYPES[self.type]
        for name, value in (("url", self.url), ("secret", self.secret)):
            if kind.NEEDS.get(name) == "required" and value is None:
                yield Wrong(name, f"none for the type {self.type}", "one")
            elif name not in kind.NEEDS and value is not None:
                yield Wrong(name, f"one for the type {self.type}", "none")
        if self.url is not None and not _is_address(self.url):
            yield Wrong("url", f"'{self.url}'", "https://... or http://...")
        if self.type == "slack" and self.secret and not _is_address(self.secret):
            yield Wrong("secret", "a text that is no address", "the address of the webhook, https://...")
        if self.type in _KEYED and self.secret and not (self.secret.isascii() and self.secret.isprintable()):
            yield Wrong("secret", "a line end, or a sign outside of ASCII, in it", "the key alone")
        if self.ca is not None and (trouble := _trouble(self.ca)):
            yield Wrong("ca", trouble, "a file of certificates (PEM)")


@dataclass(frozen=True)
class MatchKeys:
    """What a page must be; all that is said must hold. Values are lists of globs such as `safety.*`."""

    severity: tuple[Literal["SEV-1", "SEV-2", "SEV-3"], ...] = key((), "of the worst incident")
    class_: tuple[str, ...] = key((), "of the first incident")
    owner: tuple[str, ...] = key((), "role: on-call, cost, eval, quality")
    role: tuple[str, ...] = key((), "another name of `owner`")
    workflow: tuple[str, ...] = key((), "of the first incident")
    tenant: tuple[str, ...] = key((), "of the first incident")
    labels: Mapping[str, str] = key({}, "label by name, one glob each")

    def wrong(self) -> Iterator[Wrong]:
        """Yield roles that no incident has: their route would never be taken, and nobody hear why."""
        for name, globs in (("owner", self.owner), ("role", self.role)):
            for index, glob in enumerate(globs):
                if not any(fnmatchcase(owner, glob) for owner in OWNERS):
                    yield Wrong(f"{name}.{index}", f"'{glob}'", f"one of {', '.join(OWNERS)}, or a glob of them")


@dataclass(frozen=True)
class QuietKeys:
    """Hours in which SEV-2 and SEV-3 wait until they end; SEV-1 never does."""

    zone: ZoneInfo = required("IANA time zone")
    from_: Clock = required("time of day at which they begin")
    to: Clock = required("time of day at which they end; at or before `from`, on the next day")
    days: tuple[_Day, ...] = key(DAYS, "on which they begin: mon, tue, wed, thu, fri, sat, sun")

    def wrong(self) -> Iterator[Wrong]:
        """Yield quiet hours that never end."""
        whole = self.from_ == self.to or (self.from_ == 0 and self.to == 1440)  # noqa: PLR2004 -- 24 hours
        if whole and set(self.days) == set(DAYS):
            yield Wrong("to", "quiet hours that never end", "an hour of the week that is not quiet")


@dataclass(frozen=True)
class RouteKeys:
    """Which pages go to which sinks. Routes are tried in order; the first that matches is taken."""

    name: str = required("name, for `flyball deliver --test NAME`")
    sinks: tuple[str, ...] = required("names of sinks")
    match: MatchKeys = section(MatchKeys)
    continue_: bool = key(default=False, doc="true: later routes are tried too")
    quiet: tuple[QuietKeys, ...] = key((), "quiet hours")


@dataclass(frozen=True)
class RoutesFile:
    """Everything that `routes.yaml` says. Without the file, every page goes to standard output."""

    group_by: tuple[_Group, ...] = key(
        DEFAULT_GROUP, f"incidents that agree in these are one page: {', '.join(FIELDS)}"
    )
    update_every: Update = key(duration("60s"), "an open page that changes is told again at most this often")
    runbooks: str | None = key(None, "address of the folder of runbooks: a page links to ADDRESS/CLASS.md")
    console: str | None = key(None, "address that pages link to")
    sinks: tuple[SinkKeys, ...] = key((), "the sinks; `stdout` is always there")
    routes: tuple[RouteKeys, ...] = key((), "the routes; a page that none matches goes to `stdout`")

    def wrong(self) -> Iterator[Wrong]:
        """Yield names that are there twice, or not at all."""
        for what, names in (("sinks", [s.name for s in self.sinks]), ("routes", [r.name for r in self.routes])):
            for index, name in enumerate(names):
                if name in names[:index]:
                    yield Wrong(f"{what}.{index}.name", f"'{name}' again", "a name of its own")
        known = {"stdout", *(sink.name for sink in self.sinks)}
        for index, route in enumerate(self.routes):
            for place, sink in enumerate(route.sinks):
                if sink not in known:
                    yield Wrong(f"routes.{index}.sinks.{place}", f"'{sink}'", f"one of {', '.join(sorted(known))}")
            if not route.sinks:
                yield Wrong(f"routes.{index}.sinks", "none", "at least one, or stdout")
        for name, address in (("runbooks", self.runbooks), ("console", self.console)):
            if address and not address.startswith(("https://", "http://")):
                yield Wrong(name, f"'{address}'", "https://... or http://...")
