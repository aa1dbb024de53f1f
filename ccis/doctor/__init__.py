"""What `ccis doctor` looks at: one module per topic, each check with its remedy.

A new check is a function under @check in one of these modules, or in a new one.
"""
