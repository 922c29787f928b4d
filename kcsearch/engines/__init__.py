"""Forward passes behind one protocol, `types.Engine`; `encoder.py` chooses among them."""
