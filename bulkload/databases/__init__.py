"""Legacy databases: what a migration asks for, how each engine is read, and how it is proved.

``configuration`` says what ``[source.sql]`` holds; ``session`` opens the database in one
consistent, read-only snapshot and plans; ``samples`` reads one measurement in a worker;
``proof`` holds the database against what was read and what Studio holds.
"""
