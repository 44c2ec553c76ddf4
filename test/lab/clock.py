# SPDX-License-Identifier: GPL-2.0-or-later
"""The one clock of the laboratory: CLOCK_BOOTTIME in seconds, the same that hamm uses."""
import time


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)
