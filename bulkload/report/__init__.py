"""What people see of a job besides the terminal: the report, the live page, plots."""
