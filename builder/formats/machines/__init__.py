"""Descriptions of virtual machines: appliances and boxes."""
