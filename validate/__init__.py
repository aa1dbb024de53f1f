"""Proof: an artefact and a spec make a report."""
