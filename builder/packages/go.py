"""The word that dnf's process waits for before it changes anything."""

GO = "go\n"
