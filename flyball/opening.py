"""Opens the log that the configuration names, and loads nothing else: small processes start quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from flyball.config.settings import Settings
    from streams.port import Log


def open_configured_log(settings: Settings, data: Path) -> Log:
    """Open the log that the configuration names: Kafka when brokers are given, else the embedded one."""
    log = settings.log
    if log.brokers:
        from streams.kafka.log import KafkaLog  # noqa: PLC0415  # loads librdkafka only when it is used
        from streams.kafka.settings import Settings as Connection  # noqa: PLC0415

        return KafkaLog(Connection(",".join(log.brokers), client=log.kafka.client()))
    from streams.embedded.log import EmbeddedLog  # noqa: PLC0415
    from streams.embedded.settings import Settings as Retention  # noqa: PLC0415

    retention = Retention(max_age_ns=log.retention_age, max_bytes=log.retention_size)
    return EmbeddedLog(log.embedded or data / "log", retention)


def open_existing_log(settings: Settings, data: Path) -> Log:
    """Open it to look something up: a folder that is not there is none to make. Raises CommandError."""
    from flyball.errors import CommandError  # noqa: PLC0415

    folder = settings.log.embedded or data / "log"
    if not settings.log.brokers and not folder.exists():
        msg = f"the log is not there: found no {folder}, it lies there once `flyball up` has run; --data says where"
        raise CommandError(msg)
    return open_configured_log(settings, data)
