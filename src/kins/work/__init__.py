"""Work on many images: in several processes with progress (`chunks`), on a Ray cluster (`cluster`), and in shards,
which can be stopped and gone on with (`shards`)."""

from kins.work.chunks import CHUNK as CHUNK
from kins.work.chunks import forking_is_safe as forking_is_safe
from kins.work.chunks import in_chunks as in_chunks
from kins.work.chunks import interrupts_held as interrupts_held
from kins.work.chunks import processes as processes
from kins.work.chunks import progress as progress
