"""What the two tests of accsim assign share."""

import math

import numpy as np

from harness import accsim, done, equal, expect


def assigned(*args):
    return done(accsim("assign", *args, "--json", "-")).json()


def refused(*args, says=(), status=3):
    result = accsim("assign", *args)
    equal(result.status, status, result)
    for text in says:
        expect(text in result.err, "no", text, "in", result.err)


def sndr(signal, received):
    noise = np.mean((received - signal) ** 2)
    return 10 * math.log10(np.var(signal) / noise) if noise else math.inf
