"""The kickstart's scripts, and the installer's environment that they run in."""
