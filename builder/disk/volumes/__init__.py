"""The kinds of volumes that are made of partitions, one file (or folder) each."""
