"""`kins annotate`: whole outlines and who is in front, drawn in a browser; the visible masks follow.

Needs the extra `annotate`.
"""

from kins.annotate.server import Listening as Listening
from kins.annotate.server import create_app as create_app
from kins.annotate.server import serve as serve
