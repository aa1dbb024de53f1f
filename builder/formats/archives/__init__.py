"""Archives of files and of root trees."""
