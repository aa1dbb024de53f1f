"""From plan to artefacts."""
