"""`flyball drift accept` adds one entry to policy.yaml, and leaves all that people wrote there as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from flyball.check import policy
from flyball.drift import accept

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-03-02T09:00:30Z"
ENTRY = {"workflow": "support", "at": AT}

FILES = {
    "no file": "",
    "only comments": "# nothing yet\n",
    "no drift": "# ours\nspend: # money\n  time_zone: Europe/Berlin # head office\n",
    "no line end": "spend:\n  time_zone: Europe/Berlin # no line end",
    "no accepted": "drift:\n  # how bad it is\n  severity: SEV-2 # agreed\nspend:\n  time_zone: UTC\n",
    "wide": "drift:\n      severity: SEV-2 # wide\n",
    "accepted": 'drift:\n  accepted: # ann\n    - workflow: coding # v2\n      at: "2026-01-01T00:00:00Z" # new year\n'
    "    # more to come\n  severity: SEV-2 # agreed\n",
    "accepted, no indent": 'drift:\n  accepted:\n  - {workflow: coding, at: "2026-01-01T00:00:00Z"} # v2\n\n# end\n',
    "crlf": "drift:\r\n  severity: SEV-2 # agreed\r\n",
    "ends": "# ours\nspend:\n  time_zone: UTC # all\n...\n",
}


@pytest.mark.parametrize("name", FILES)
def test_every_line_stays(name: str, tmp_path: Path) -> None:
    """Comments, order and forms; the new entry comes last, also the second time."""
    path = tmp_path / "policy.yaml"
    if FILES[name]:
        path.write_bytes(FILES[name].encode())
    before = ((yaml.safe_load(FILES[name]) or {}).get("drift") or {}).get("accepted") or []
    accept(tmp_path, "support", None, AT)
    accept(tmp_path, 'a "name": #1', "task_success", AT)
    after = path.read_bytes().decode()
    left = iter(after.splitlines())
    assert all(line in left for line in FILES[name].splitlines() if line != "...")
    told = yaml.safe_load(after)["drift"]["accepted"]
    assert told == [*before, ENTRY, {"workflow": 'a "name": #1', "at": AT, "sli": "task_success"}]
    assert len(policy(tmp_path).drift.accepted) == len(told)


@pytest.mark.parametrize("text", ["drift: {severity: SEV-2}\n", "{drift: {accepted: []}}\n", "drift: {accepted: []}\n"])
def test_other_forms_are_written_anew(text: str, tmp_path: Path) -> None:
    """What is written in braces has no line to add to: the file is written anew, and says the same."""
    (tmp_path / "policy.yaml").write_text(text)
    accept(tmp_path, "support", None, AT)
    said = yaml.safe_load((tmp_path / "policy.yaml").read_text())
    assert said["drift"].get("severity") == (yaml.safe_load(text)["drift"].get("severity"))
    assert said["drift"]["accepted"] == [ENTRY]
