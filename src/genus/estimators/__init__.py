"""What users import: images and labels in, models out."""
