"""Proofs on the started image, one module per topic."""
