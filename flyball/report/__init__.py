"""The report that ends a replay: records in, a page of text that a person likes to read out."""
