"""Real data to try Servicetrail with, each folder with its source, its licence and its mapping."""
