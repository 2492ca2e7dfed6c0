"""What a step does with its stack: one file for each action, and what they share."""
