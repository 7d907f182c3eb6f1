"""The library behind HTTP: this room translates requests to library calls and decides nothing."""
