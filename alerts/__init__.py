"""Delivery: incidents from the log become pages, and pages reach people exactly as long as they should."""
