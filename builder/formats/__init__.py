"""The artefact formats, one module each (registry.py); what several of them share is in tools/."""
