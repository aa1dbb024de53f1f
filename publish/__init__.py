"""From artefacts to a signed release tree."""
