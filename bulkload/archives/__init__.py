"""Sources that are no files of their own: members of archives, and files of remote trees.

``access`` lists, stamps, opens and copies them by their path (``core/address``).
"""
