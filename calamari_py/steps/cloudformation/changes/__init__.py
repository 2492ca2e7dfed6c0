"""Change sets: made, read, judged, left for approval, taken back."""
