"""A real terraform with its state in an embedded AWS: what the tests that start it share.

``aws``     the embedded AWS behind a server that notes each request, and whose keys it carried
``room``    a folder with a configuration, a manifest, and what a run of it has left
``search``  where in a pile of files, archives and processes a value stands
"""
