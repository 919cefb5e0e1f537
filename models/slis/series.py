"""Series book: the series of one shard with the texts to tell them by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.slis.admission import Admission
from models.slis.base import Histogram, by_digest
from models.slis.groups import ALONE, FIXED, NAMED_OTHER, OTHER, REST, SO_NAMED, UNTOLD
from models.slis.minutes import HISTOGRAM, RATIO
from models.slis.packing import pack_names, unpack_names
from models.slis.readings import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from models.slis.base import Sli
    from models.slis.settings import SliSettings

_HEX_WORD = 1 << 64
_TOLD = {OTHER: REST, NAMED_OTHER: SO_NAMED}


class SeriesBook:
    """Admission plus, by series, `kinds` (int8), `alone` (bool) and `labels`."""

    def __init__(self, settings: SliSettings, slis: Sequence[Sli]) -> None:
        self.admission = Admission(settings)
        self.kinds, self.alone = np.empty(0, np.int8), np.empty(0, np.bool_)
        self.labels: list[Label] = []
        self._slis = by_digest(slis)
        self._names: dict[int, str] = {}  # of workflows, values, cohort dimensions and SLIs that series have

    def __len__(self) -> int:
        """Count the series."""
        return len(self.labels)

    def resolve(self, cols: NDArray[np.int64], names: Mapping[int, str]) -> NDArray[np.int64]:
        """Give the series of each cell ([7, n]), -1 where it is refused."""
        series = self.admission.resolve(cols)
        if len(self.admission) > len(self):
            self._enter(names)
        return series

    def arrays(self, since: int = 0) -> dict[str, NDArray[Any]]:
        """Give the series from number `since` on, to be packed."""
        rows = self.admission.series.rows[since : len(self)]
        used = {digest: self._names[digest] for digest in np.unique(rows).tolist() if digest in self._names}
        kinds, overflow = self.kinds[since:], self.admission.overflow
        return {"series": rows, "kinds": kinds, "overflow": overflow, **pack_names(used)}

    def fill(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Enter series as `arrays` gave them, after those that are there."""
        kinds = np.concatenate([self.kinds, arrays["kinds"]])
        self.admission.restore(arrays["series"])
        self.admission.overflow[:] = arrays["overflow"]
        self._enter(unpack_names(arrays))
        self.kinds = kinds  # of SLIs that are no more, too

    def _enter(self, names: Mapping[int, str]) -> None:
        rows = self.admission.series.rows[len(self) : len(self.admission)]
        self.alone = np.concatenate([self.alone, rows[:, 1] == ALONE])
        kinds = []
        for row in rows.tolist():
            label = self._label(row, names)
            self.labels.append(label)
            kinds.append(HISTOGRAM if label.histogram else RATIO)
        self.kinds = np.concatenate([self.kinds, np.array(kinds, np.int8)])

    def _label(self, row: list[int], names: Mapping[int, str]) -> Label:
        workflow, dimension, value, digest = row
        sli = self._slis.get(digest)
        name = sli.name if sli else self._name(digest, names)
        self._names[digest] = name
        group = {"workflow": self._name(workflow, names)}
        if dimension != ALONE:
            key = FIXED.get(dimension) or self._name(dimension, names)
            group[key] = _TOLD.get(value) or self._name(value, names)
        untold = dimension in UNTOLD
        if isinstance(sli, Histogram):
            return Label(name, group, histogram=True, whole=sli.whole, untold=untold)
        waits = 0 if sli is None else int(sli.waits)
        return Label(name, group, histogram=False, whole=False, waits=waits, untold=untold)

    def _name(self, digest: int, names: Mapping[int, str]) -> str:
        """Give and keep the text; a digest whose text never came is told in hex."""
        text = self._names.get(digest) or names.get(digest) or f"{digest % _HEX_WORD:016x}"
        self._names[digest] = text
        return text
