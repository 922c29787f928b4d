"""Keeping a collection whole: check it, mend it, copy it, move it elsewhere and back."""
