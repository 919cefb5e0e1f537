"""Masking: what looks like a secret is not written, in any of the ways it is named; ordinary words are."""

from __future__ import annotations

import time

import orjson
import pytest

from control.masking import MASK, name, reason, shown, text


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("DB_PASSWORD=hunter2", f"DB_{MASK}"),
        ("PGPASSWORD=hunter2 psql -h db", f"PG{MASK} psql -h db"),
        ("access_token=hunter2", f"access_{MASK}"),
        ("accessToken: hunter2", f"access{MASK}"),
        ("refresh_token='hunter2'", f"refresh_{MASK}"),
        ("client_secret: hunter2", f"client_{MASK}"),
        ("aws_secret_access_key=hunter2", f"aws_secret_{MASK}"),
        ("x-api-key: hunter2", f"x-{MASK}"),
        ("password => 'hunter2', user => 'ann'", f"{MASK}, user => 'ann'"),
        ('{"password": "hunter2 \\"and more\\"", "user": "ann"}', f'{{"{MASK}, "user": "ann"}}'),
        ('{\\"password\\": \\"hunter2\\"}', f'{{\\"{MASK}"}}'),
        ("Uid=ann;Pwd=hunter2;", f"Uid=ann;{MASK};"),
        ("Authorization: Basic aHVudGVyMg==", MASK),
        ("curl -H 'Authorization: Basic aHVudGVyMg' there", f"curl -H '{MASK}' there"),
        ("authorization=hunter2", MASK),
        ("it sent Basic aHVudGVyMjpodW50ZXIy== there", f"it sent {MASK} there"),
        ("https://ann:hunter@2@db/x", f"https{MASK}db/x"),
        ("redis://:hunter2@db", f"redis{MASK}db"),
    ],
)
def test_secrets_are_masked_however_they_are_named(said: str, masked: str) -> None:
    """The value is gone, and what is around it stays."""
    assert text(said) == name(said) == masked


@pytest.mark.parametrize(
    "said",
    [
        "password reset flow",
        "token count 5",
        "secretary",
        "the secretary: Ann",
        "max_tokens=500, total_tokens: 12",
        "token_count: 5",
        "primary_key=7, keyboard: de",
        "passwords are never asked for",
        "secrets management, step 2: rotate",
        "needs authorization by two people",
        "a basic understanding of it",
        "http://127.0.0.1:8088/users/@me",
        "mail ann@example.org at 10:30",
        "pwd: /root",
    ],
)
def test_ordinary_words_are_not_masked(said: str) -> None:
    """A word that is about secrets is none."""
    assert text(said) == said


def test_long_names_are_names() -> None:
    """What is long and without a space may be a key in a text; as a tool, a model or a user it is a name."""
    for said in (
        "mcp__google_calendar__find_available_time_slots",
        "accounts/fireworks/models/llama-v3p1-405b-instruct",
    ):
        assert name(said) == said
        assert text(said) == MASK
    assert name("sk-proj-abcdefghijklmnop") == MASK


def test_a_record_shows_no_value_that_is_named_as_a_secret() -> None:
    """Its name says so where the value alone does not."""
    said = {"db_password": "hunter2", "auth": {"clientSecret": "hunter2"}, "tokens": 5, "note": "token: hunter2"}
    assert shown(said) == {"db_password": MASK, "auth": {"clientSecret": MASK}, "tokens": 5, "note": MASK}


def test_a_name_that_a_record_has_stays_in_its_texts() -> None:
    """A user who is a digest, a version that is a commit, a long tool: named in full; any other long word is masked."""
    user, commit, tool = "9f" * 32, "5e" * 20, "mcp__google_calendar__find_available_time_slots"
    said = {
        "scope": {"level": "user", "id": user},
        "title": f"{tool} failed 7 times for {user}, key {'7c' * 32}",
        "evidence": {"tool": tool, "slices": [{"dimension": "version", "value": commit}], "note": f"since {commit}"},
    }
    assert shown(said) == said | {"title": f"{tool} failed 7 times for {user}, key {MASK}"}
    assert shown({"tool": "sk-proj-" + "a" * 40, "reason": "it called sk-proj-" + "a" * 40}) == {
        "tool": MASK,
        "reason": f"it called {MASK}",
    }


def test_no_text_takes_long() -> None:
    """Texts come from whoever is asked about; none makes the pattern run for ever."""
    begun = time.perf_counter()
    for said in (
        "password" * 1_000,
        "-" * 5_000,
        'secret="' * 500,
        "a-" * 2_000,
        "://" * 1_000,
        "://a:" * 500,
        "= " * 999,
    ):
        text(said)
        name(said)
    assert time.perf_counter() - begun < 1.0


def test_a_secret_never_comes_back_by_json() -> None:
    """A record written as JSON inside of a text is masked as well."""
    inner = orjson.dumps({"note": orjson.dumps({"api_key": "hunter2"}).decode()}).decode()
    assert "hunter2" not in text(inner)


def test_a_reason_names_whom_it_is_about() -> None:
    """Tools, users and tenants of an entry of the audit log are named in its reason, long or not; no key is."""
    tool, user = "mcp__google_calendar__find_available_time_slots", "9f" * 32
    about = {"scope": {"level": "user", "id": user}, "evidence": {"sequence": [tool, "pay"]}}
    said = f"{user} went around {tool} → pay 4 times, with {'7c' * 32}"
    assert reason(said, about) == f"{user} went around {tool} → pay 4 times, with {MASK}"
    assert reason("sk-proj-" + "a" * 40, {"tool": "sk-proj-" + "a" * 40}) == MASK
