"""A root tree: the accessor that all who change it build on, and what is done to the whole of it.
"""
