"""The editors' console: pages made on the server, for people who sign in.

``app`` has what all pages share, ``pages`` is the list of them; each shows what the store and the
bundle look up, or what training and timed commands stored, and computes no figures.
"""
