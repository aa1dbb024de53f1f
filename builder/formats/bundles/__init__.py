"""Eucalyptus bundles: encrypted, signed, for somebody."""
