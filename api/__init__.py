"""The library behind HTTP: this room translates requests to library calls and decides nothing."""

import logging

from recommender.escaping import LogLines

# Whoever serves us and wherever its log goes: what requests and files hold is shown, not obeyed.
logging.getLogger("api").addFilter(LogLines())
