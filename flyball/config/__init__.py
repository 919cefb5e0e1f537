"""Configuration: one directory of files, each key with a default, each mistake with its line."""
