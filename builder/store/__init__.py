"""The store: where the results of steps are kept, and how it is known that they are sound."""
