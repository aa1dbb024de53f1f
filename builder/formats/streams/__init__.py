"""Compressed streams: on all processors, and the same bytes whatever their number."""
