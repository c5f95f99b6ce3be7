"""The error statistics of the run document (contracts, section 4), from exact numbers.

  error_statistics(outputs, last_format) -> {'error': {...}, 'quantization': {...}, 'total': {...}}

`outputs` are objects with numbers (Fractions or specials): y, reference, signal in real units; raw_y, raw_reference before
scales. An infinite ratio is 'inf' or '-inf', an undefined one None. Sums are exact; each e is rounded to binary64 once.
"""
import math
from fractions import Fraction

from formats import floor_log2, is_special
from trace import to_float


def finite(number):
    """The number as a Fraction, or None if it is not finite."""
    if is_special(number):
        return Fraction(0) if number == '-0' else None
    return Fraction(number)


def log10(fraction):
    return math.log10(fraction.numerator) - math.log10(fraction.denominator)


def decibels(signal, noise):
    if noise == 0:
        return None if signal == 0 else 'inf'
    return '-inf' if signal == 0 else 10 * log10(signal / noise)


def mean(values):
    return sum(values, Fraction(0)) / len(values)


def variance(values):
    m = mean(values)
    return mean([(v - m) ** 2 for v in values])


def rounded_difference(x, y):
    return Fraction(to_float(x - y))


def variance_over_noise(pairs):
    """10 log10(Var(second) / mean((first - second)^2)) over the pairs where both are finite."""
    pairs = [(finite(x), finite(y)) for x, y in pairs]
    pairs = [(x, y) for x, y in pairs if x is not None and y is not None]
    if not pairs:
        return None
    return decibels(variance([y for _, y in pairs]), mean([rounded_difference(x, y) ** 2 for x, y in pairs]))


def spacing(fmt, number):
    """The distance between neighbouring values of the format at the number, not below the smallest such distance."""
    exponent = fmt.smallest_spacing_exponent
    if fmt.is_float and number != 0:
        exponent = max(exponent, floor_log2(abs(number).numerator, abs(number).denominator) - fmt.y)
    return Fraction(2) ** exponent


def error_statistics(outputs, last_format, shift=0):
    """An `[output] shift` divides y by 2^shift; errors are measured with that undone, or they would only show the shift."""
    def undone(number):
        return None if finite(number) is None else finite(number) * Fraction(2) ** shift

    names = ('sndr_db', 'snr_power_db', 'csnr_db', 'bias', 'mse', 'rmse', 'max_abs', 'max_ulp', 'cosine')
    error = dict.fromkeys(names)
    both = [o for o in outputs if undone(o.y) is not None and finite(o.reference) is not None]
    if both:
        y, reference = [undone(o.y) for o in both], [finite(o.reference) for o in both]
        e = [rounded_difference(a, b) for a, b in zip(y, reference)]
        square = [v * v for v in e]
        error['sndr_db'] = decibels(variance(reference), mean(square))
        error['snr_power_db'] = decibels(mean([v * v for v in reference]), mean(square))
        error['csnr_db'] = decibels(variance(reference), variance(e))
        error['bias'] = float(mean(e))
        error['mse'] = float(mean(square))
        error['rmse'] = math.sqrt(mean(square))
        error['max_abs'] = float(max(abs(v) for v in e))
        error['max_ulp'] = float(max(abs(undone(o.raw_y) - finite(o.raw_reference)) / undone(spacing(last_format, finite(o.raw_reference) / Fraction(2) ** shift))
                                     for o in both))
        powers = sum(v * v for v in y) * sum(v * v for v in reference)
        if powers:
            dot = sum(a * b for a, b in zip(y, reference))
            error['cosine'] = math.copysign(10 ** (log10(dot * dot / powers) / 2), dot) if dot else 0.0
    return {'error': error,
            'quantization': {'sqnr_db': variance_over_noise([(o.reference, o.signal) for o in outputs])},
            'total': {'sndr_db': variance_over_noise([(o.y if undone(o.y) is None else undone(o.y), o.signal) for o in outputs])}}
