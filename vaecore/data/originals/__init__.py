"""From what is published to what is read here, a file each.

`convert(folder)` makes the arrays or the text of a data set out of the originals in `folder`, whose checksums have been
compared before.
"""
