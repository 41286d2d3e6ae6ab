"""The page that shows what was decided when: forks of a run from each of its steps, and how alike they come out."""
