"""The control plane's HTTP: one table of endpoints, each with who may call it; nothing is served that is not in it."""
