"""Answers to "is A or B closer to R?": the table, its readers, the store, splits, agreement, what to ask next."""
