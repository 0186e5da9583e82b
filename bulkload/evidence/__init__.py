"""Evidence to keep: a pack of what a job did, and the check of it a year later."""
