"""Data sets in numbers: what the KINS paper reports, and how far annotators agree."""

from kins.statistics.agreement import Agreement as Agreement
from kins.statistics.agreement import annotators as annotators
from kins.statistics.agreement import compare as compare
from kins.statistics.agreement import consensus as consensus
from kins.statistics.measure import DEFINITIONS as DEFINITIONS
from kins.statistics.measure import LARGE as LARGE
from kins.statistics.measure import SMALL as SMALL
from kins.statistics.measure import Statistics as Statistics
from kins.statistics.measure import distinct_names as distinct_names
from kins.statistics.measure import statistics as statistics
