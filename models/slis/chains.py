"""Chains: histograms as linked runs of neighbouring bins in one pool of nodes; free nodes are used again.

A node covers `width` bins. Minute panes take width 1 (few bins, far apart), days take 16 (most of a range is there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.kernels import allocating, small
from models.slis.blocks import widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

END = -1
HIGH, FREED, N_FREE = 0, 1, 2  # places in `Chains.meta`


class Chains(NamedTuple):
    """A pool of nodes. Chain heads are kept by whoever owns the histogram, END where it is empty."""

    chunk: NDArray[np.int16]
    """First bin of the node, divided by the width."""
    next: NDArray[np.int32]
    counts: NDArray[np.int32]
    """[node, width]."""
    meta: NDArray[np.int64]
    """HIGH: nodes ever used; FREED: head of the chain of freed nodes; N_FREE: its length."""

    @staticmethod
    def none(width: int) -> Chains:
        """Give an empty pool."""
        return Chains(
            np.empty(0, np.int16),
            np.empty(0, np.int32),
            np.empty((0, width), np.int32),
            np.array([0, END, 0], np.int64),
        )

    def reserved(self, more: int) -> Chains:
        """Give the same pool with room for `more` nodes."""
        need = int(self.meta[HIGH] - self.meta[N_FREE]) + more
        if need <= len(self.next):
            return self
        size = need + need // 2
        return Chains(widened(self.chunk, size), widened(self.next, size), widened(self.counts, size), self.meta)


@small
def add(chains: Any, head: Any, bin_: Any, count: Any) -> Any:
    """Add to a bin of the chain at `head`; gives the new head. The caller has reserved a node."""
    width = chains.counts.shape[1]
    chunk = bin_ // width
    node = head
    while node != END and chains.chunk[node] != chunk:
        node = chains.next[node]
    if node == END:
        node = _taken(chains)
        chains.chunk[node], chains.next[node] = chunk, head
        chains.counts[node, :] = 0
        head = node
    chains.counts[node, bin_ - chunk * width] += count
    return head


@small
def _taken(chains: Any) -> Any:
    if chains.meta[FREED] != END:
        node = chains.meta[FREED]
        chains.meta[FREED] = chains.next[node]
        chains.meta[N_FREE] -= 1
        return node
    chains.meta[HIGH] += 1
    return chains.meta[HIGH] - 1


@allocating
def free(chains: Any, head: Any) -> None:
    """Give all nodes of a chain back."""
    node = head
    while node != END:
        after = chains.next[node]
        chains.next[node] = chains.meta[FREED]
        chains.meta[FREED] = node
        chains.meta[N_FREE] += 1
        node = after
