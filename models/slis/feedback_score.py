"""Share of good feedback: evaluations of any name but `task_success`, from people or judges."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

FEEDBACK_SCORE = Ratio(
    "feedback_score",
    total=pl.col("feedback"),
    good=pl.col("feedback_good"),
    good_means="the feedback was good",
    waits=True,
)
