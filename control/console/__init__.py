"""The console: a page for people, and what it shows, read from the log beside the control plane's own work."""
