"""What an image's packages are and where they come from: chosen, fetched, checked, installed."""
