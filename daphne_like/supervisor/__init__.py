"""The parent of the workers: binds once, starts copies of the same command, looks after them.

* ``crew`` decides which workers there should be.
* ``launch`` starts one, ``notices`` hears what it says.
* ``bound`` has the sockets that they share.
* ``changes`` watches files, for development.
* ``parent`` is the loop around them, and the signals.

Nothing here imports the application, nor a reactor.
"""
