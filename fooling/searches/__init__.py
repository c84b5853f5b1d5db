"""Searches that are more than an engine's own step, one file each; engines/__init__.py lists which engine has which."""
