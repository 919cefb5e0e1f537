"""Load the SLOs of a configuration directory; where it has none, the default ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flyball.openslo.alerts import condition_part, policy_part
from flyball.openslo.annotations import texts
from flyball.openslo.catalogue import Catalogue
from flyball.openslo.documents import read_documents
from flyball.openslo.files import shipped_slos, slo_files
from flyball.openslo.indicated import alerts_of_others
from flyball.openslo.indicators import measured_of
from flyball.openslo.objectives import slos_of_document
from flyball.openslo.spot import Note, Told

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from flyball.config.problems import Problem
    from models.slos.spec import Slo


class Loaded(NamedTuple):
    """SLOs by name, and what is to be said about the files. With any problem the files must not be used."""

    slos: tuple[Slo, ...]
    notes: tuple[Note, ...]
    problems: tuple[Problem, ...]


def slos_of(directory: Path | None) -> Loaded:
    """Give the SLOs of a directory; the default ones where it has none that can be measured, and no mistake."""
    own = slos_in(slo_files(directory)) if directory else Loaded((), (), ())
    if own.slos or own.problems:
        return own
    default = slos_in(slo_files(shipped_slos() / "defaults"))
    said = (Note(str(directory), 0, "", "no SLO here can be measured: the default ones hold"),) if own.notes else ()
    return default._replace(notes=own.notes + said + default.notes)


def slos_in(paths: Iterable[Path]) -> Loaded:
    """Read files that may refer to one another."""
    told = Told()
    catalogue = Catalogue([document for path in paths for document in read_documents(path, told)])
    slos: dict[str, Slo] = {}
    for document in catalogue.all("SLO"):
        for slo in slos_of_document(document, catalogue):
            first = slos.setdefault(slo.name, slo)
            if first is not slo and catalogue.holds(document):
                document.spot.at("metadata", "name").wrong(
                    f"the SLO {slo.name} again", f"a name of its own (first in {first.source})"
                )
    _check_the_others(catalogue)
    return Loaded(tuple(slo for _, slo in sorted(slos.items())), *told.in_order())


def _check_the_others(catalogue: Catalogue) -> None:
    """Find what is wrong with documents that no SLO refers to."""
    for document in catalogue.all("SLI"):
        measured_of(document.value.spec, document.spot.at("spec"), catalogue)
    others = alerts_of_others(catalogue)
    for document in catalogue.all("AlertPolicy"):
        if ("AlertPolicy", document.name) not in others:
            policy_part(document.value, document.spot, catalogue)
    for document in catalogue.all("AlertCondition"):
        if ("AlertCondition", document.name) not in others:
            condition_part(document.value, document.spot)
    for kind in ("SLI", "Service", "DataSource", "AlertNotificationTarget"):
        for document in catalogue.all(kind):
            texts(kind, document.metadata, document.spot.at("metadata"))
