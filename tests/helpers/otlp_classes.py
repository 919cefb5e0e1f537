"""OTLP's messages as the decoder's oracle parses them.

The library refuses strings that are not UTF-8 where the decoder mends them; so the oracle parses with copies of OTLP's
descriptors in which strings are bytes. A second set leaves spans, lists and maps as the bytes they came in, as the
decoder digests those.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

_STRING, _MESSAGE, _BYTES = 9, 11, 12
_RAW = {"ArrayValue", "KeyValueList", "Span"}


def _classes(*, raw: bool) -> Any:
    """Give a function from the name of an OTLP message to its class, with strings (and spans, lists) as bytes."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, logs_pb2):
        proto = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(proto)
        for message in proto.message_type:
            for holder in (message, *message.nested_type):
                for field in holder.field:
                    if field.type == _STRING or (raw and field.type == _MESSAGE and _is_raw(holder.name, field)):
                        field.type = _BYTES
                        field.ClearField("type_name")
        pool.Add(proto)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"opentelemetry.proto.{name}"))


def _is_raw(holder: str, field: Any) -> bool:
    return field.type_name.rsplit(".", 1)[-1] in _RAW and holder in {"AnyValue", "ScopeSpans"}


FULL, SHALLOW = _classes(raw=False), _classes(raw=True)
