"""Input and output tokens of a task, over the tasks of which any were told: absent is not 0."""

from __future__ import annotations

from models.slis.base import Histogram
from models.slis.effective import effective_input_tokens, effective_output_tokens

_TOKENS = effective_input_tokens() + effective_output_tokens()

TOKENS_PER_TASK = Histogram("tokens_per_task", value=_TOKENS, unit="tokens", whole=True, where=_TOKENS > 0)
