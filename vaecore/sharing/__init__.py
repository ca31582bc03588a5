"""What goes from one laboratory to another: runs as a zip, with every check on the way in; cards; TensorBoard's files.

`contents.py` says what may lie in a run's folder in a zip and how large it may be; `packing.py`, which writes, and
`unpacking.py`, which reads, both hold to it: nothing leaves that would not be let in.
"""

from vaecore.sharing.contents import NotShared
from vaecore.sharing.packing import export_run, pack
from vaecore.sharing.unpacking import Imported, Refused, import_run, unpack

__all__ = ["Imported", "NotShared", "Refused", "export_run", "import_run", "pack", "unpack"]
