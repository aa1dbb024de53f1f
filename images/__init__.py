"""What we ship: images, the releases that they are made for, and the record of a build."""
