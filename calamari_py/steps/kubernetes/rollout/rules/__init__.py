"""When an object of each kind is done: pure rules over what the API server says of it."""
