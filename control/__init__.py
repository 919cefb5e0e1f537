"""The control plane: the authority on signals."""
