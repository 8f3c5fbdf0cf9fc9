"""What runs, measures and checks the system in development. scripts/ has a thin entry for each command."""
