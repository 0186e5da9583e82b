"""What the names of an archive say, decided from the names alone.

The order of the work: ``marks`` finds what a name's own form shows (dates, temperatures, rates,
channels, parts, marks of copies); ``cells`` finds the cell, by the names of a sheet or by the
structure of the paths; ``dates`` settles the order of day and month for names written alike;
``relations`` finds copies, two forms of one test and parts of one; ``layouts`` says the same as
layouts with figures. ``propose`` puts them together. Each proposal carries its evidence and how
sure it is; what the evidence leaves open stays empty.
"""
