"""Artefact formats, one module each."""
