"""What a datapath's operands are (contracts, section 3, [operands]), element by element, exactly.

  operands(datapath, layer, lowering, pass, seed) -> the two Operand objects of a pass
"""
from fractions import Fraction

from blocks import parse_block_format, quantize_row, tensor_scale
from datapath import Conversion, Randoms
from formats import is_special, parse_format, round_number
from philox import SITE_OPERAND_A, SITE_OPERAND_B
from trace import Entered, from_float, multiply, to_float


class Operand:
    """What one side of the datapath sees of a dataset: element(i), and scale(i), which multiplies the result.

    An element is a special or a pair (n, l) for n / 2^l: every operand is such a number.
    """

    def __init__(self, table, side, entered, randoms):
        self.entered, self.randoms = entered, randoms
        name = table.get(side, 'as_traced')
        self.block_format, self.rows = parse_block_format(name), {}
        self.conversion, self.quantizer_scale = None, 1.0
        self.memo, self.values = {}, {}              # by index: elements, and trace values
        if self.block_format:
            self.conversion = Conversion({'format': self.block_format.element, 'rounding': table.get(side + '_rounding'),
                                          'overflow': table.get(side + '_overflow') or self.block_format.overflow,
                                          'underflow': table.get(side + '_underflow')},
                                         site=SITE_OPERAND_A if side == 'a' else SITE_OPERAND_B)
            self.amax = from_float(entered.amax())
            self.amax = Fraction(0) if self.amax == '-0' else self.amax
            self.quantizer_scale = to_float(tensor_scale(self.block_format, self.amax))
            return
        if name == 'as_traced' or (entered.format and entered.format.facts == parse_format(name).facts):
            return                                   # also a dataset stored in that very format passes unchanged
        self.conversion = Conversion({'format': name, 'rounding': table.get(side + '_rounding'),
                                      'overflow': table.get(side + '_overflow') or 'saturate'},
                                     site=SITE_OPERAND_A if side == 'a' else SITE_OPERAND_B)
        rule = table.get(side + '_scale') or ('one' if self.conversion.format.is_float else 'amax')
        if rule in ('amax', 'amax_pow2'):
            scale = entered.amax() / to_float(self.conversion.format.largest) or 1.0
            self.quantizer_scale = scale if rule == 'amax' else smallest_power_of_two_not_below(scale)
        elif rule != 'one':
            self.quantizer_scale = float(rule)

    def element(self, i):
        if i is None:
            return 0, 0                              # padding and stride holes
        if i not in self.memo:
            x = self.quantized(i) if self.conversion else self.entered.x(i)
            self.memo[i] = x if is_special(x) else (x.numerator, x.denominator.bit_length() - 1)
        return self.memo[i]

    def row(self, indices):
        """The operands of a row of the lowered matrix, whose elements are these (None: holes)."""
        if not self.block_format:
            return [self.element(i) for i in indices]
        key = tuple(indices)
        if key not in self.rows:
            numbers = [Fraction(0) if i is None else self.entered.x(i) for i in indices]
            row = quantize_row(numbers, self.block_format, self.conversion, self.amax, lambda k: self.random_of(indices[k]))
            self.rows[key] = [x if is_special(x) else (x.numerator, x.denominator.bit_length() - 1) for x in row]
        return self.rows[key]

    def random_of(self, i):
        """The random number of element i; a hole needs none."""
        if i is None:
            return 0
        randoms = Randoms(self.randoms.seed, self.randoms.layer, self.randoms.pass_, i)
        return self.conversion.generator(randoms).next()

    def quantized(self, i):
        x = self.entered.x(i)
        if self.quantizer_scale != 1.0:
            x = from_float(to_float(x) / self.quantizer_scale)
        c = self.conversion
        if c.rounding.is_random:
            return round_number(x, c.format, c.rounding, c.overflow, c.underflow, self.random_of(i))[0]
        return round_number(x, c.format, c.rounding, c.overflow, c.underflow)[0]

    def scale(self, i):
        return self.entered.scale(i) * Fraction(self.quantizer_scale)

    def trace_value(self, i):
        """The unquantized value in real units."""
        if i not in self.values:
            self.values[i] = Fraction(0) if i is None else multiply(self.entered.x(i), self.entered.scale(i))
        return self.values[i]


def smallest_power_of_two_not_below(x):
    power = Fraction(2) ** (Fraction(x).numerator.bit_length() - Fraction(x).denominator.bit_length() - 1)
    while power < Fraction(x):
        power *= 2
    return float(power)


def operands(datapath, layer, lowering, pass_, seed):
    randoms = Randoms(seed, layer.rank, pass_, None)
    return (Operand(datapath.operand_table, 'a', Entered(layer.tensor(lowering.a), lowering.a_axes), randoms),
            Operand(datapath.operand_table, 'b', Entered(layer.tensor(lowering.b), lowering.b_axes), randoms))
