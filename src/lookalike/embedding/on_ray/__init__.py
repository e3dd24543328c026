"""Filling a collection on the machines of a Ray cluster; `ray` is imported only when somebody asks for it."""
