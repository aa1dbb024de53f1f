"""Two builds of one image, side by side: which bytes differ, and which file they belong to."""
