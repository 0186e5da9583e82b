"""Pure decisions: no clock, chance, disk, network or log. Standard library and numpy only."""
