"""Records: one job = one folder; its files written atomically, its status, and how it is chosen and resumed."""
