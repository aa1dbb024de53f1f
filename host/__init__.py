"""The host under our feet: errors, programs, files, locks, mounts; every room stands on it."""
