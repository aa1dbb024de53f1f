"""CD and USB media: ISO 9660, loaders, installation trees."""
