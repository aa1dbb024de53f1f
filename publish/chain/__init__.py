"""The chain of trust: TUF metadata over the whole tree, from an offline root to each file."""
