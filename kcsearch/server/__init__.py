"""A collection over HTTP, with a page to search it: `kcsearch serve`."""
