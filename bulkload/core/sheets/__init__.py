"""Tables that people keep: what their headers mean, and what stands in their cells."""
