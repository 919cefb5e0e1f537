"""OTLP into the log, over HTTP and gRPC: bodies, a look at them, splitting, group commit, answers."""
