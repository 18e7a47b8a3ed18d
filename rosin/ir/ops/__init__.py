"""The ops, one file a family. Importing this package registers them all."""
