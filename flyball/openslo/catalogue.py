"""Catalogue: the documents of all files by kind and name, so that one can refer to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.openslo.documents import Document
    from flyball.openslo.spot import Spot


class Catalogue:
    """Documents that can be asked for by kind and name; a name that stands twice is told, and the first one holds."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._named: dict[tuple[str, str], Document] = {}
        for document in documents:
            if document.name:
                self._add(document)

    def all(self, kind: str) -> list[Document]:
        """List the documents of a kind, those too whose name is wrong."""
        return [document for document in self._documents if document.kind == kind]

    def holds(self, document: Document) -> bool:
        """Tell whether a document is what its name stands for."""
        return self._named.get((document.kind, document.name)) is document

    def has(self, kind: str, name: str) -> bool:
        """Tell whether there is a document of this kind and name."""
        return (kind, name) in self._named

    def find(self, kind: str, name: str, spot: Spot) -> Document | None:
        """Give the document that `spot` refers to; tells when there is none."""
        found = self._named.get((kind, name))
        if found is None:
            spot.unknown(kind, name, [known for of, known in self._named if of == kind])
        return found

    def _add(self, document: Document) -> None:
        first = self._named.setdefault((document.kind, document.name), document)
        if first is not document:
            expected = f"a name of its own (first in {first.spot.source})"
            document.spot.at("metadata", "name").wrong(f"the {document.kind} {document.name} again", expected)
