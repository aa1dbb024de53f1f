"""A root tree, and the sandbox in which its own programs run: what all who change it build on."""
