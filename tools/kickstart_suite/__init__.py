"""Anaconda's own tests as a measure: what of rhinstaller/kickstart-tests builds right."""
