"""Commands for ``manage.py``, and what they are made of; only Django looks in here."""
