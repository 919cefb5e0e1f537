"""RuleBook: the rules of the moment, from YAML files. A set with anything wrong is refused; the last good one stays."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.rules.problems import RuleError, RuleSetError
from flyball_sdk.rules.ruleset import RuleSet

if TYPE_CHECKING:
    from collections.abc import Iterator

_log: Final = logging.getLogger("flyball_sdk")
_LARGEST_FILE: Final = 4 << 20


class RuleBook:
    """Rules of a file, or of all .yaml and .yml files in a folder and below. A file holds rules as list or documents.

    Hidden files and folders are none: what Kubernetes mounts has links to files that lie in a hidden folder beside.
    `current` is replaced in one step by `reload`, so a call is judged by one whole set.
    """

    def __init__(self, path: Path | str) -> None:
        """Load the rules; raises RuleSetError with all that is wrong."""
        self._path = Path(path)
        self._current = self._load()
        self.trouble: RuleSetError | None = None
        """Why the last reload was refused; None: it was not."""

    @property
    def current(self) -> RuleSet:
        """The set that calls are judged by."""
        return self._current

    def reload(self) -> bool:
        """Load the rules again; False: they are refused, which is logged, and the last good ones stay."""
        try:
            self._current = self._load()
        except RuleSetError as problem:
            self.trouble = problem
            _log.error("flyball guard: new rules are refused, the ones of before stay:\n%s", problem)
            return False
        self.trouble = None
        return True

    def _load(self) -> RuleSet:
        try:
            files = _files(self._path) if self._path.is_dir() else [self._path]
            return RuleSet([(str(file), said) for file in files for said in documents(str(file), file.read_bytes())])
        except OSError as error:
            problem = RuleError("", "a file or folder of rules", error.strerror, file=str(error.filename or self._path))
            raise RuleSetError([problem]) from error


def _files(folder: Path) -> list[Path]:
    found = (each for each in folder.rglob("*") if each.suffix in (".yaml", ".yml"))
    return sorted(each for each in found if not any(part.startswith(".") for part in each.relative_to(folder).parts))


def documents(file: str, content: bytes) -> Iterator[Any]:
    """Give the rules in a file of YAML; raises RuleSetError. A key that stands twice is an error, not the last one."""
    import yaml  # noqa: PLC0415 -- lazily

    class Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 -- yaml's own
            names = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(None, None, f"{twice!r} stands twice", node.start_mark)
            return super().construct_mapping(node, deep)

    try:
        if len(content) > _LARGEST_FILE:
            raise RuleSetError([RuleError("", f"at most {_LARGEST_FILE} bytes", len(content), file=file)])
        found = list(yaml.load_all(content, Loader=Strict))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise RuleSetError([RuleError("", "YAML", " ".join(str(error).split())[:200], file=file)]) from error
    for document in found:
        if isinstance(document, list):
            yield from document
        elif document is not None:
            yield document
