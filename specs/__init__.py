"""What an image must be: rules as data, and the typed model that loads them."""
