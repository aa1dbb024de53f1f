"""Reads a kickstart and turns its commands into changes of the root tree."""
