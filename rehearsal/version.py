"""The releases there are. Imports nothing, so that asking for a made repository stays quick."""

RELEASES = {"rehearsal-10": "10", "rehearsal-9": "9"}
