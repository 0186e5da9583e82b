"""What commands need of a job: its folder, its Studio, its run, and what follows."""
