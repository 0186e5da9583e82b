"""What is printed, and how a process ends: text, JSON, help, exit codes."""
