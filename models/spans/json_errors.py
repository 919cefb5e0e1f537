"""Why an OTLP/JSON message could not be transcoded: one code and one sentence each.

The kernels return a code as a negative position.
"""

from __future__ import annotations

EMPTY = 1
NOT_OBJECT = 2
TRUNCATED = 3
TRAILING = 4
UNEXPECTED = 5
BAD_STRING = 6
BAD_ESCAPE = 7
BAD_NUMBER = 8
BAD_UTF8 = 9
DEEP = 10
DUPLICATE = 11
WRONG_TYPE = 12
NOT_WHOLE = 13
OUT_OF_RANGE = 14
BAD_BASE64 = 15
NO_ROOT = 16

ERRORS: dict[int, str] = {
    EMPTY: "JSON: the message is empty",
    NOT_OBJECT: "JSON: the message is not an object",
    TRUNCATED: "JSON: the message ends before its object does",
    TRAILING: "JSON: something follows the object",
    UNEXPECTED: "JSON: a character that cannot stand at its place",
    BAD_STRING: "JSON: a string that is not closed, or holds a control character",
    BAD_ESCAPE: "JSON: an escape that JSON does not know",
    BAD_NUMBER: "JSON: a number not written as JSON writes numbers",
    BAD_UTF8: "JSON: the message is not valid UTF-8",
    DEEP: "JSON: nested deeper than 100",
    DUPLICATE: "JSON: a field occurs twice in one object, or resourceSpans beside resourceLogs",
    WRONG_TYPE: "OTLP/JSON: a field holds a value of the wrong type",
    NOT_WHOLE: "OTLP/JSON: an integer field holds a fraction",
    OUT_OF_RANGE: "OTLP/JSON: a number does not fit its field",
    BAD_BASE64: "OTLP/JSON: bytesValue is not base64",
    NO_ROOT: "OTLP/JSON: neither resourceSpans nor resourceLogs",
}
"""The reason of every error code of `json_wire.transcode`; 0 is no error."""
