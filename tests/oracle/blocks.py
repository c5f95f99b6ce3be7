"""Block formats (contracts 1.1), in exact rationals: a scale for every so many terms of a row of the lowered matrix.

  parse_block_format(name)                                   -> BlockFormat, or None where the name is not that of a block format
  quantize_row(numbers, block_format, conversion, amax, rs)  -> the row's operands: element * scale, or 'nan'; rs gives r of element i
  tensor_scale(block_format, amax)                           -> what results are multiplied by

Written from OCP MX 1.0, section 6.3, and, for nvfp4, from the order of operations of NVIDIA/TransformerEngine
(quantization_nvfp4.py 99d67c1), each of which rounds to binary32.
"""
from fractions import Fraction

from formats import floor_log2, is_special, parse_format, round_number
from trace import multiply

ELEMENTS = {'mxfp8_e4m3': 'e4m3', 'mxfp8_e5m2': 'e5m2', 'mxfp6_e3m2': 'e3m2', 'mxfp6_e2m3': 'e2m3', 'mxfp4': 'e2m1', 'mxint8': 's8.6',
            'nvfp4': 'e2m1'}
BINARY32, E4M3 = parse_format('fp32'), parse_format('e4m3')


class BlockFormat:
    def __init__(self, name, block, rule):
        self.name, self.element, self.block, self.rule = name, ELEMENTS[name], block, rule
        self.is_nvfp4 = name == 'nvfp4'
        self.overflow = 'saturate_symmetric' if name == 'mxint8' else 'saturate'
        self.facts = (name, block, rule)


def parse_block_format(text):
    name, _, options = text.strip().lower().partition(':')
    if name not in ELEMENTS:
        return None
    fields = dict(option.split('=') for option in options.split(',')) if options else {}
    return BlockFormat(name, int(fields.get('block', 16 if name == 'nvfp4' else 32)), fields.get('scale', 'floor'))


def power_of_two(e):
    return Fraction(2) ** e


def floor_log2_of(x):
    return floor_log2(x.numerator, x.denominator)


def largest_magnitude(numbers):
    return max((abs(x) for x in numbers if not is_special(x)), default=Fraction(0))


def mx_scale_exponent(amax, fmt, rule):
    """e of the scale 2^e of a block whose largest magnitude is amax > 0."""
    emax = floor_log2_of(fmt.largest)
    if rule == 'floor':
        return floor_log2_of(amax) - emax
    if rule == 'ceil':
        e = floor_log2_of(amax)
        return e - emax + (power_of_two(e) < amax)
    if rule == 'even':                                 # amax to the element's significand bits first, ties to even
        bits = fmt.p if fmt.is_float else fmt.bits - 1
        unit = power_of_two(floor_log2_of(amax) - bits + 1)
        return floor_log2_of(round(amax / unit) * unit) - emax
    e = floor_log2_of(amax) - emax - 2
    while amax / power_of_two(e) > fmt.largest:
        e += 1
    return e


def binary32(x):
    """Rounded to the nearest binary32, beyond the range the largest one."""
    return x if x == '-0' else round_number(x, BINARY32, overflow='saturate')[0]


def divided(x, y):
    """x / y in binary32; a positive number over zero is the largest one."""
    if y == 0:
        return BINARY32.largest if x else Fraction(0)
    return binary32(x / y)


def encoding_scale(amax):
    amax = binary32(amax)
    scale = divided(Fraction(448 * 6), amax) if amax else Fraction(1)
    return scale or Fraction(1)


def tensor_scale(block_format, amax):
    return divided(Fraction(1), encoding_scale(amax)) if block_format.is_nvfp4 else Fraction(1)


def quantize_row(numbers, block_format, conversion, amax, randoms):
    """`conversion` rounds elements; randoms(i) is the random number of the i-th of the row."""
    operands = []
    for first in range(0, len(numbers), block_format.block):
        block = numbers[first:first + block_format.block]
        operands += quantize_block(block, block_format, conversion, amax, lambda i: randoms(first + i))
    return operands


def quantize_block(block, block_format, c, tensor_amax, randoms):
    if any(x in ('nan', 'inf', '-inf') for x in block):
        return ['nan'] * len(block)
    amax = largest_magnitude(block)
    if block_format.is_nvfp4:
        encode, decode = encoding_scale(tensor_amax), tensor_scale(block_format, tensor_amax)
        scale = round_number(binary32(divided(binary32(amax), Fraction(6)) * encode), E4M3, overflow='saturate')[0]
        inverse = divided(Fraction(1), binary32(scale * decode))
        quotients = [binary32(multiply(binary32(x), inverse)) for x in block]
    else:
        e = -127 if amax == 0 else max(-127, mx_scale_exponent(amax, c.format, block_format.rule))
        if e > 127:
            return ['nan'] * len(block)
        scale = power_of_two(e)
        quotients = [multiply(x, 1 / scale) for x in block]
    operands = []
    for i, x in enumerate(quotients):
        element = round_number(x, c.format, c.rounding, c.overflow, c.underflow, randoms(i) if c.rounding.is_random else None)[0]
        operands.append(multiply(element, scale))
    return operands
