"""Train an encoder further, so that texts which belong together lie near each other."""
