"""Speed, memory and quality as ratios against peers and floors: ``make bench``."""
