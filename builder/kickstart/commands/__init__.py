"""One module per family of kickstart commands; each registers what it handles."""
