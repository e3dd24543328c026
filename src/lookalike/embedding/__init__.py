"""The collection, and the loop that fills it: decode, encode and write, overlapped."""
