"""`kins view`: annotations and predictions in the browser, side by side, the worst first; nothing is changed.

Needs the extra `annotate`.
"""
