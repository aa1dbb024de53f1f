"""The one way to touch a tree that somebody else made (root.py); nothing in it leads out of it."""
