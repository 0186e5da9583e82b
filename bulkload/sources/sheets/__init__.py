"""Sheets of cells and of tests as people keep them: .xlsx .ods .csv."""
