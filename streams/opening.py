"""Opening a log by its address: `embedded:PATH` or `kafka://host:port,host:port`.

Settings follow as a query: `embedded:./flyball-data/log?max_bytes=1000000000&fsync=true`,
`kafka://10.0.0.1:9092?group=flyball&security.protocol=SASL_SSL`. For Kafka, whatever is none of the adapter's own
settings and has a dot in its name goes to librdkafka as it is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl

from streams import embedded, kafka

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.port import Log

_EMBEDDED: Final = "embedded:"
_KAFKA: Final = "kafka://"
_READ: Final[dict[type, Callable[[str], object]]] = {
    int: int,
    float: float,
    str: str,
    bool: {"true": True, "false": False}.__getitem__,
}
_WORDS: Final = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_S = TypeVar("_S", embedded.Settings, kafka.Settings)


def open_log(address: str) -> Log:
    """Open the log; Kafka is not asked anything yet. Raises ValueError where the address cannot be read."""
    place, _, query = address.partition("?")
    said = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    if place.startswith(_KAFKA) and len(place) > len(_KAFKA):
        client = {name: said.pop(name) for name in list(said) if "." in name}
        settings = _settings(
            kafka.Settings, said, address, brokers=place.removeprefix(_KAFKA).rstrip("/"), client=client
        )
        return kafka.KafkaLog(settings)
    if place.startswith(_EMBEDDED) and len(place) > len(_EMBEDDED):
        return embedded.EmbeddedLog(place.removeprefix(_EMBEDDED), _settings(embedded.Settings, said, address))
    msg = f"{address!r} is no log: expected {_EMBEDDED}PATH or {_KAFKA}host:port[,host:port]"
    raise ValueError(msg)


def _settings(kind: type[_S], said: dict[str, str], address: str, **known: Any) -> _S:
    """Build settings from words, each read by the type of its default."""
    types = {field.name: type(field.default) for field in dataclasses.fields(kind) if field.name not in known}
    values: dict[str, Any] = {}
    for name, word in said.items():
        if name not in types:
            msg = f"{address!r}: there is no setting {name!r}; there are {', '.join(types)}"
            raise ValueError(msg)
        try:
            values[name] = _READ[types[name]](word)
        except (KeyError, ValueError):
            msg = f"{address!r}: {name} is {word!r}, expected {_WORDS[types[name]]}"
            raise ValueError(msg) from None
    return kind(**known, **values)
