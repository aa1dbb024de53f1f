"""What a package installs below /usr/share, made from the command line itself: `python -m`."""
