"""What several artefact formats share; no module here is a format."""
