"""Where programs that others wrote run: own mounts, processes and network."""
