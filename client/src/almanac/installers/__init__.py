"""``sync --for CLIENT``: a client's own verified document, put where that client reads it. Undone by ``--restore``.

    client    what a row of the table is, and what is said when it was written
    places    where each client reads, from its environment
    aichat    the one file that is not the signed bytes as they are
    known     the table: one row for each client
    writing   writing as a whole, keeping what stood there, putting it back

Nothing is rendered here: the document is a signed target. An installed package is never touched.
"""
