"""One module an engine; each library is loaded where it is used."""
