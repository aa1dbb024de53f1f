"""The kickstart's storage commands as requests for the disk."""
