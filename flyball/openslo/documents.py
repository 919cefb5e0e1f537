"""The OpenSLO documents of a file, each of the type that its `kind` names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from flyball.config.build import Place, build
from flyball.config.nodes import describe, line_of, read_nodes
from flyball.config.problems import ConfigError, Problem, suggestion
from flyball.openslo.schema import KINDS_OF_DOCUMENT, VERSION, Metadata
from flyball.openslo.spot import Spot, Told

if TYPE_CHECKING:
    from pathlib import Path

OTHER_VERSIONS = {
    "openslo/v1alpha": "v1alpha has other keys (objectives with ratioMetrics, no SLI documents)",
    "openslo.com/v2alpha": "v2alpha has other keys (sli instead of indicator)",
}
"""Versions that people have, and why they cannot just be renamed."""


@dataclass(frozen=True)
class Document:
    """One document. `value` is of the type of its kind in `flyball.openslo.schema`; its parts are None where wrong.

    `unread`: what is wrong with parts of its `spec`; told once it is known that the document is for us.
    """

    kind: str
    value: Any
    spot: Spot
    unread: tuple[Problem, ...] = ()

    @property
    def metadata(self) -> Metadata:
        """Give its metadata, empty where they are wrong."""
        return self.value.metadata or Metadata()

    @property
    def name(self) -> str:
        """Give its name; empty where it is wrong, which is told."""
        return self.metadata.name or ""


def read_documents(path: Path, told: Told) -> list[Document]:
    """Read the documents of a file; what is wrong with one is told and does not keep the others from being read."""
    try:
        nodes = read_nodes(path)
    except ConfigError as error:
        for problem in error.problems:
            told.problem(problem)
        return []
    found = [_document(path, node, told) for each in nodes for node in _listed_in(each)]
    return [document for document in found if document]


def _listed_in(node: yaml.Node) -> list[yaml.Node]:
    """Give the documents of a list of documents, as OpenSLO's own tools write them; else the node itself."""
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    return items if items and all(isinstance(item, yaml.MappingNode) for item in items) else [node]


def _document(path: Path, node: yaml.Node, told: Told) -> Document | None:
    kind = _kind(path, node, told)
    if not kind:
        return None
    at = Place(path, KINDS_OF_DOCUMENT[kind])
    at.lines[""] = line_of(node)
    value: Any = build(KINDS_OF_DOCUMENT[kind], node, at)
    unread = tuple(problem for problem in at.problems if kind == "SLO" and problem.where.startswith("spec"))
    for problem in at.problems:
        if problem not in unread:
            told.problem(problem)
    name = value.metadata.name if value.metadata else None
    return Document(kind, value, Spot(at, told, name or kind), unread)


def _kind(path: Path, node: yaml.Node, told: Told) -> str:
    """Give the kind of a document; tells why there is none."""

    def wrong(line: int, where: str, found: str, expected: str, hint: str = "") -> str:
        told.problem(Problem(str(path), line, where, found, expected, hint))
        return ""

    if not isinstance(node, yaml.MappingNode):
        return wrong(line_of(node), "", describe(node), f"a document with apiVersion: {VERSION}")
    head = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    for key, expected in (("apiVersion", VERSION), ("kind", _listed())):
        if key not in head:
            return wrong(line_of(node), "", f"no key {key}", expected, suggestion(key, head, 0.75))
    version, kind = head["apiVersion"], head["kind"]
    if version.value != VERSION:
        why = OTHER_VERSIONS.get(version.value, "") if isinstance(version, yaml.ScalarNode) else ""
        return wrong(line_of(version), "apiVersion", describe(version), VERSION, why)
    if not isinstance(kind, yaml.ScalarNode) or kind.value not in KINDS_OF_DOCUMENT:
        hint = suggestion(kind.value, KINDS_OF_DOCUMENT) if isinstance(kind, yaml.ScalarNode) else ""
        return wrong(line_of(kind), "kind", describe(kind), _listed(), hint)
    return str(kind.value)


def _listed() -> str:
    return f"one of {', '.join(KINDS_OF_DOCUMENT)}"
