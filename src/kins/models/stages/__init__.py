"""Methods: what a network adds to Mask R-CNN, one a file."""
