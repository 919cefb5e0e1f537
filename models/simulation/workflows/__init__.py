"""The workflows that come with the simulator, one a file."""
