"""What would change: objects as they are against objects as they are wanted, without secrets."""
