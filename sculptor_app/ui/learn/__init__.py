"""The page "Learn": a model learns in the background, and one sees how it comes to know what noise looks like."""
