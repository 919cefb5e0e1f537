"""`flyball compare`: two sets of runs, from recorded files or from the log of a deployment."""
