"""Models that make pictures: their networks, trainings, and numbers for how good the pictures are."""
