"""How a kind of check is made true in the root tree: one file for each kind that is sealable.

A module has `kind`, the class of the check (specs/kinds/), and `seal(tree, check)`, which makes it
true; builder/tree/seal.py finds it by its being there.
"""
