"""The front door: command line, configuration, and the wiring of a whole deployment."""
