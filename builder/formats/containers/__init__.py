"""What container engines want beside a root tree."""
