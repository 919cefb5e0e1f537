"""OTLP to columns: decoder, attribute table (data file), canonical span frame, prices."""
