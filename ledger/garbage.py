"""How often Python looks for garbage."""

import gc


def ease_garbage_collection() -> None:
    """Look for reference cycles less often, for the whole process.

    A batch makes some ten thousand objects that live until it is written. With Python's defaults
    the collector goes through them again and again, and finds nothing: a sixth of an import's time.
    """
    gc.set_threshold(50_000, 20, 50)
