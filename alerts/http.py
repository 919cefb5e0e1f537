"""HTTP as sinks use it: one kept-alive connection, time-outs, verified TLS; every answer becomes an Outcome."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson
import urllib3
from urllib3.exceptions import HTTPError, LocationValueError, MaxRetryError, SSLError

from alerts.cut import cut
from alerts.outcome import Outcome, Refused, Retry, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

_CONNECT_S: Final = 5.0
_MAX_ANSWER: Final = 8_192
"""Bytes of an answer that are read; the rest is no concern of ours."""
_MAX_REASON: Final = 300
_LONGEST_WISH_S: Final = 3_600.0
"""A sink that asks for more time than this is asked again all the same."""
_TELLING: Final = 6
"""Characters from which a part of a secret is one: shorter ones are words of any answer."""
_OK, _REDIRECT, _TOO_MANY, _SERVER = 200, 300, 429, 500
_REQUEST_TIMEOUT: Final = 408


class Http:
    """Sends to one sink. Not thread-safe. `hidden` texts (keys) never show in a reason.

    `ca` names a file of certificates to trust instead of the system's; certificates are always verified.
    """

    def __init__(
        self,
        timeout_s: float = 10.0,
        ca: Path | None = None,
        hidden: tuple[str, ...] = (),
        now_s: Callable[[], float] = lambda: datetime.now(UTC).timestamp(),
    ) -> None:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(connect=min(_CONNECT_S, timeout_s), read=timeout_s),
            ssl_context=context,
        )
        self._timeout_s = timeout_s
        self._hidden = tuple(part for text in hidden for part in _parts(text))
        self._now_s = now_s

    def send_json(
        self, url: str, said: object, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Outcome:
        """Send a value as JSON."""
        return self.send(url, orjson.dumps(said), {"Content-Type": "application/json"} | dict(headers or {}), method)

    def send(self, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Outcome:
        """Send a body: 2xx is Sent; 408, 429, 5xx, no connection and bad certificates Retry; the rest Refused.

        Redirects are not followed: what a page says goes nowhere that nobody named.
        """
        try:
            response = self._pool.request(
                method, url, body=body, headers=dict(headers), preload_content=False, redirect=False
            )
        except LocationValueError as error:
            return Refused(self._told(f"no address to send to: {error}"))
        except HTTPError as error:
            return Retry(None, self._told(_trouble(error)))
        except ValueError:  # its words would hold the secret
            return Refused("a header cannot be sent: there is a line end, or a sign outside of Latin-1, in the secret")
        return self._judge(response.status, self._read(response), response.headers.get("Retry-After"))

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _read(self, response: BaseHTTPResponse) -> bytes:
        """Give what can be read of an answer in time.

        The status has said what came of it: an answer that breaks off is no reason to tell the same again.
        """
        answer, until_s = b"", monotonic() + self._timeout_s
        try:
            while len(answer) < _MAX_ANSWER and monotonic() < until_s:
                part = response.read1(_MAX_ANSWER - len(answer), decode_content=False)
                if not part:
                    response.release_conn()  # to be used again; of one that goes on the rest is not worth reading
                    return answer
                answer += part
        except HTTPError:
            pass
        response.close()
        return answer

    def _judge(self, status: int, answer: bytes, wish: str | None) -> Outcome:
        text = answer.decode("utf-8", "replace").strip()
        said = self._told(f"HTTP {status}: {text}" if text else f"HTTP {status}")
        if _OK <= status < _REDIRECT:
            return Sent(said)
        if status in (_TOO_MANY, _REQUEST_TIMEOUT) or status >= _SERVER:
            return Retry(self._wish(wish), said)
        return Refused(said)

    def _wish(self, wish: str | None) -> float | None:
        """Read Retry-After: seconds or a date (RFC 9110, section 10.2.3); nonsense is none."""
        if not wish:
            return None
        try:
            seconds = float(wish) if wish.strip().isdigit() else parsedate_to_datetime(wish).timestamp() - self._now_s()
        except (ValueError, TypeError):
            return None
        return min(max(0.0, seconds), _LONGEST_WISH_S)

    def _told(self, reason: str) -> str:
        for secret in self._hidden:
            reason = reason.replace(secret, "…")
        return cut(" ".join(reason.split()), _MAX_REASON)


def _parts(secret: str) -> list[str]:
    """Give a secret, and what an answer may repeat of it alone, the longest first.

    That is the path of an address (a page of an error names it), its last word, and the key after `Basic` or `Bearer`.
    """
    _, _, place, query, _ = urlsplit(secret) if secret.startswith(("https://", "http://")) else ("",) * 5
    alone = (
        f"{place}?{query}".strip("/?"),
        place.strip("/"),
        place.rpartition("/")[2],
        query,
        secret.rpartition(" ")[2],
    )
    return [secret, *(part for part in dict.fromkeys(alone) if len(part) >= _TELLING)] if secret else []


def _trouble(error: HTTPError) -> str:
    cause: BaseException = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, SSLError):
        return f"the certificate or TLS of the sink is not accepted, nothing was sent: {cause}"
    return f"{type(cause).__name__}: {str(cause).rpartition('>: ')[2] or cause}"
