"""Usual ratio: the odds ratio of two cohorts as it always was, from sums over looks that add up.

A cohort may differ from the rest for ever: harder tasks, another plan. That is no drift; it drifts when the difference
changes. Mantel-Haenszel over the looks, so that shared incidents and cycles cancel, with the variance of Robins,
Breslow and Greenland (Biometrics 42, 1986). Asymptotic: unlike the test itself, these bounds are approximate.

Where few failed they are wide, and would hide twice the odds for ever. So they are taken twice where fewer than
`ENOUGH` had failed, each time missing the ratio with a chance of half of ALPHA, and what lies within both is the null
from then on: with probability >= 1 - ALPHA the ratio is in it, as with one. A look before was held against a wider
null, so its e-value is one against the narrower, too, and M goes on: ARL >= c. Twice, not at every look: a null that
went on narrowing would take a slow decline in. And once where there was an alarm between: what was then is not usual.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_Z, _Z_HALF = 3.29, 3.48
"""Standard normal quantiles of 1 - ALPHA / 2 and 1 - ALPHA / 4, ALPHA = 1e-3 as for all baselines."""
FEWEST = 20
"""Failures of each cohort from which the asymptotics are believed."""
ENOUGH = 200
"""Failures of each cohort from which bounds are taken once: they leave 1.26 times the odds open, or up to 1.39 where
the rest is as small."""


class UsualRatio(NamedTuple):
    """Sums [..., stream]: r and s (odds ratio r / s), and the three of the variance; failures of A and of B."""

    r: Any
    s: Any
    pr: Any
    mixed: Any
    qs: Any
    failed_a: Any
    failed_b: Any

    @staticmethod
    def none(*shape: int) -> UsualRatio:
        """Give no past."""
        return UsualRatio(*np.zeros((7, *shape)))

    def with_look(self, failed_a: Any, events_a: Any, failed_b: Any, events_b: Any) -> UsualRatio:
        """Give the sums with one more look."""
        n = np.maximum(events_a + events_b, 1)
        ok_a, ok_b = events_a - failed_a, events_b - failed_b
        r, s = failed_b * ok_a / n, ok_b * failed_a / n
        p, q = (failed_b + ok_a) / n, (ok_b + failed_a) / n
        more = (r, s, p * r, p * s + q * r, q * s, failed_a, failed_b)
        return UsualRatio(*(one + other for one, other in zip(self, more, strict=True)))

    def is_enough(self) -> Any:
        """Say of which streams bounds are taken once: [stream], where there are several ratios of all of them."""
        fewest = np.minimum(self.failed_a, self.failed_b)
        return (fewest if fewest.ndim == 1 else fewest.min(axis=0)) >= ENOUGH

    def bounds(self, once: Any = True) -> tuple[Any, Any]:  # noqa: FBT002 -- an array too
        """Give (low, high) of the odds ratio of B against A; (0, inf) where too few failed. `once`: or twice."""
        enough = (self.failed_a >= FEWEST) & (self.failed_b >= FEWEST) & (self.r > 0) & (self.s > 0)
        r, s = (np.where(enough, each, 1.0) for each in (self.r, self.s))
        variance = self.pr / (2 * r**2) + self.mixed / (2 * r * s) + self.qs / (2 * s**2)
        margin = np.exp(np.where(once, _Z, _Z_HALF) * np.sqrt(variance))
        return np.where(enough, r / s / margin, 0.0), np.where(enough, r / s * margin, np.inf)
