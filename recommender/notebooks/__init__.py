"""What the notebooks stand on: which site they are about, words for what it lacks, and the files
themselves.

    from recommender import notebooks
    here = notebooks.here()
    here.site, here.bundle
"""

from recommender.notebooks.files import written
from recommender.notebooks.place import Here, here
from recommender.notebooks.working import quoted, say, working

__all__ = ["Here", "here", "quoted", "say", "working", "written"]
