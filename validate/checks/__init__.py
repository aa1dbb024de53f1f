"""Checks, one module per topic; each registers the kinds of check that it can do."""
