# First pictures of a bird. Each is named after what it shows.
