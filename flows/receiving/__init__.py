"""OTLP over HTTP into the log: bodies, splitting, answers, group commit, and the application of them all."""
