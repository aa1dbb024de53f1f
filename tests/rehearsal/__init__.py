"""Tests of the rehearsal distribution."""
