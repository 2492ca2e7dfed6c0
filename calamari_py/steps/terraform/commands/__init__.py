"""What is started, and with what: arguments, environment, private files."""
