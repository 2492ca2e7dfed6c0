"""The sections of a manifest, read and checked before any call is made."""
