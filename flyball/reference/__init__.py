"""Pages of the documentation that are made from the code: commands, HTTP, metrics."""
