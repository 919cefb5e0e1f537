"""The canonical columns of a span frame: what Flyball knows of a span, whatever framework emitted it.

Every column is an int64: ids are bit patterns, times are Unix nanoseconds, names are digests (`models.digest`) whose
text travels beside the frame, money is nano-USD, scores are micro-units. One dtype makes a batch one 2-D array
[column, row] that is sorted, sliced and handed to compiled kernels as a whole.
"""

from __future__ import annotations

from enum import IntEnum

ABSENT = 0
"""A name or digest that the span did not carry. Absent is never equal to absent."""

UNKNOWN = -1
"""A number (tokens, cost) that the span did not carry: not the same as 0."""

NO_SCORE = -(2**63)
"""An evaluation without a score."""


class Column(IntEnum):
    """Row of the column in `Spans.cols`."""

    TRACE_HI = 0
    TRACE_LO = 1
    SPAN_ID = 2  # of an event: a digest of its content, so that repeated events count once
    PARENT_ID = 3  # 0: none said
    START = 4
    END = 5  # the event time; mended: never before START, never beyond the receipt plus the tolerated skew
    KIND = 6  # SpanKind
    STATUS = 7  # SpanStatus
    MESSAGE = 8  # index of the message in the decoded batch
    # names: digest of the text, text in `Spans.names`
    WORKFLOW = 9  # only when said in so many words; else a run falls back to its agent, then its service
    AGENT = 10
    SERVICE = 11
    VERSION = 12
    ENVIRONMENT = 13
    TENANT = 14
    TIER = 15
    USER = 16
    CONVERSATION = 17
    PROMPT = 18  # prompt hash or version
    TOOLSET = 19  # tool-definitions hash
    VARIANT = 20  # experiment arm
    MODEL = 21
    PROVIDER = 22
    TOOL = 23
    ERROR_TYPE = 24
    EVALUATION = 25  # name of the evaluation; of a row that another log record became, the name of the record
    LABEL = 26  # label of the evaluation
    # digests of content whose text is not kept
    CALL_ID = 27
    ARGUMENTS = 28
    RESULT = 29
    # numbers
    INPUT_TOKENS = 30  # includes cached
    OUTPUT_TOKENS = 31
    CACHE_READ = 32
    CACHE_WRITE = 33
    COST = 34  # nano-USD
    PRICED = 35  # Priced
    SCORE = 36  # micro-units; NO_SCORE where there is none
    # small enumerations
    OUTCOME = 37  # Outcome, as said by an attribute
    DECISION = 38  # Decision of a guard or of a person asked for approval
    HANDOFF = 39  # 1: the span hands the task to a person
    STOP = 40  # Stop: why a model's answer ended
    # a digest again
    RESPONSE_ID = 41  # of a model's answer; of an evaluation: of the answer that it scores


FIRST_NAME, LAST_NAME = Column.WORKFLOW, Column.LABEL


class SpanKind(IntEnum):
    """What a span is, by its attributes."""

    OTHER = 0
    RUN = 1
    LLM = 2
    TOOL = 3
    GUARD = 4
    APPROVAL = 5
    EVALUATION = 6  # a score; trace and span id are those of what is scored, 0 where only an answer or conversation is
    EXECUTION = 7  # the doing of a tool call: its failure is that of the tool span directly around it
    BILL = 8  # what a log says that one LLM call cost; the call itself is a span, and only that is counted as one


class SpanStatus(IntEnum):
    """OTLP status codes."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Priced(IntEnum):
    """Where the cost of an LLM span, bill or run span comes from."""

    NOTHING = 0  # nothing to price: no tokens, no cost
    REPORTED = 1
    COMPUTED = 2
    UNPRICED = 3


class Outcome(IntEnum):
    """The outcome of a task; PENDING: closed, but its evaluation is still awaited."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2
    ESCALATED = 3
    PENDING = 4


class Decision(IntEnum):
    """What a guard or a person answered."""

    NONE = 0
    ALLOW = 1
    BLOCK = 2


class Stop(IntEnum):
    """Why a model's answer ended, in words of gen_ai.response.finish_reasons; providers have others for the same."""

    NONE = 0
    STOP = 1  # it said what it had to say
    TOOL_CALLS = 2  # it asks for tools, whose results it waits for
    LENGTH = 3  # cut, at its own limit or that of the context
    CONTENT_FILTER = 4  # withheld, or refused by the model
    ERROR = 5
    OTHER = 6
