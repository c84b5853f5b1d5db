"""What happens to pixels: `reference` is the definition, its twins are fast. Nothing here knows settings or files."""
