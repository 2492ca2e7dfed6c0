"""Files become objects: read, checked, put in order."""
