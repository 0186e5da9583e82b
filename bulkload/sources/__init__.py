"""Where measurements come from: folders, manifests, databases, and the metadata beside them."""
