"""Adders of several terms that take their addends by falling exponent, in whole numbers: an independent oracle for kind = "ordered_sum".

Written from the registers of such a unit (ExSdotp, arXiv 2207.03192; CVFPU e5aa6a0): the addends aligned in order to a register that ends a number of bits
below the first one's exponent, subtraction by complement and carry, a sticky bit, one normalization and one rounding. A finite value is a
whole number of units of 2^UNIT.

  Unit(...).step(a, b, c, mode, subtract, random) -> (code of the result, flags NV DZ OF UF NX)
"""
from matrix_units import UNIT, Layout

INVALID, OVERFLOW, UNDERFLOW, INEXACT = 16, 4, 2, 1


class Sum:
    """A register: sign and magnitude, and whether ones fell out of it."""

    def __init__(self, negative, magnitude):
        self.negative, self.magnitude, self.sticky = negative, magnitude, False

    def add(self, negative, magnitude, zero_is_negative, last=0):
        """Adds or subtracts magnitudes; `last`: ones of the addend were shifted out, so that its complement lacks the carry into that unit."""
        if negative == self.negative:
            self.magnitude += magnitude
            return
        difference = self.magnitude - magnitude - last
        if difference == 0 and not (last or self.sticky):
            self.negative = zero_is_negative
        elif difference < 0:
            self.negative = negative
        self.magnitude = abs(difference)


class Unit:
    def __init__(self, operand, result, terms, bits, sticky=True, align='rz', integer_bits=2, forget=None, foresees=False):
        self.operand, self.result, self.terms, self.bits = operand, result, terms, list(bits)
        self.sticky, self.align, self.integer_bits, self.forget, self.foresees = sticky, align, integer_bits, forget, foresees

    def special(self, operands, c, subtract):
        """The result where an operand is NaN or infinite, or None."""
        numbers = [x for pair in operands for x in pair] + [c]
        infinities = [((x.negative != y.negative) != subtract) for x, y in operands if x.infinite or y.infinite]
        infinities += [c.negative] if c.infinite else []
        nan = self.result.nan_code
        if any((x.infinite and y.finite and y.value == 0) or (y.infinite and x.finite and x.value == 0) for x, y in operands):
            return nan, INVALID
        if any(x.nan for x in numbers):
            quiet = [n for n in numbers if n.nan and not self.is_quiet(n)]
            return nan, INVALID if quiet else 0
        if not infinities:
            return None
        if len(set(infinities)) == 2:
            return nan, INVALID
        return self.sign(infinities[0]) | self.result.infinity, 0

    def is_quiet(self, number):
        layout = self.result if number.layout is self.result else self.operand
        return number.code >> (layout.fraction_bits - 1) & 1 == 1

    def sign(self, negative):
        return 1 << (self.result.bits - 1) if negative else 0

    def addends(self, operands, c, subtract):
        """(exponent of the first bit, negative, magnitude), accumulator last; zero products below everything."""
        found = []
        for x, y in operands:
            negative = ((x.negative != y.negative) != subtract)
            magnitude = abs(x.value) * abs(y.value) >> -UNIT
            assert magnitude << -UNIT == abs(x.value) * abs(y.value)
            exponent = x.exponent + y.exponent + self.integer_bits - 1 if magnitude else -10 ** 6
            found.append((exponent, negative, magnitude))
        return found + [(c.exponent if c.value else self.result.emin, c.negative, abs(c.value))]

    def step(self, a, b, c, mode, subtract=False, random=(0, 0)):
        operands = [(self.operand.decode(x), self.operand.decode(y)) for x, y in zip(a, b)]
        c = self.result.decode(c)
        for number in [x for pair in operands for x in pair]:
            number.layout = self.operand
        c.layout = self.result
        special = self.special(operands, c, subtract)
        if special:
            return special
        ordered = self.addends(operands, c, subtract)
        ordered.sort(key=lambda x: -x[0])                      # stable: equals stay in order
        total, subtractions, last_cut = self.added(ordered, mode == 'rd')
        if total.sticky and self.forget and not last_cut and subtractions[-1] != subtractions[-2] and ordered[-1][2]:
            top = max(total.magnitude.bit_length() - 1 + UNIT, self.result.emin)
            if total.magnitude & ((1 << (top - self.forget - UNIT)) - 1) == 0:
                total.sticky = False
        if total.magnitude == 0 and not total.sticky:
            return self.sign(total.negative), 0
        if total.magnitude == 0:
            exact = sum(-m if n else m for _, n, m in ordered)
            total.negative = exact < 0 if exact else ordered[0][1]
        least = self.result.emin - self.result.fraction_bits - UNIT
        if self.foresees and ordered[0][2] == 0 and total.magnitude >> least == 0:
            total.negative = self.foreseen(ordered)
        return self.rounded(total, mode, random)

    def added(self, ordered, zero_is_negative):
        first = ordered[0]
        total, has_cancelled, subtractions, is_cut = Sum(first[1], first[2]), False, [False], False
        for i, (_, negative, magnitude) in enumerate(ordered[1:]):
            bits = self.bits[min(i, len(self.bits) - 1)]
            lowest = max(first[0] - bits - UNIT, 0)
            lost = magnitude & ((1 << lowest) - 1)
            is_cut = lost != 0
            subtractions.append(negative != total.negative)
            had_value = total.magnitude != 0
            if has_cancelled and is_cut and not total.sticky:  # it goes round the adder, in a register that ends below the smallest normal
                end = self.result.emin - bits - 1 - UNIT
                total = Sum(negative, magnitude >> end << end)
                has_cancelled = False
                continue
            kept = magnitude - lost
            if is_cut and not self.sticky:
                if self.align == 'rd' and negative:
                    kept += 1 << lowest
                total.add(negative, kept, zero_is_negative)
            elif is_cut:
                total.add(negative, kept, zero_is_negative, last=1 << lowest)
                total.sticky = True
            else:
                total.add(negative, kept, zero_is_negative)
            has_cancelled = had_value and total.magnitude == 0
        return total, subtractions, is_cut

    def foreseen(self, ordered):
        others = sorted((x for x in ordered if x[2]), key=lambda x: (-x[0], -x[2]))
        best = [x for x in others if x[0] == others[0][0] and x[2] == others[0][2]]
        return best[0][1] if len({x[1] for x in best}) == 1 else ordered[0][1]

    def rounded(self, total, mode, random):
        layout = self.result
        exponent = max(total.magnitude.bit_length() - 1 + UNIT, layout.emin)
        drop = exponent - layout.fraction_bits - UNIT
        kept, lost = total.magnitude >> drop, total.magnitude & ((1 << drop) - 1)
        r, bits = random
        inexact = lost != 0 or total.sticky
        beyond = exponent > layout.top - 1 - layout.bias
        if beyond:                                             # the largest finite value and a discarded part of ones
            kept, lost, inexact, exponent = (2 << layout.fraction_bits) - 1, (1 << drop) - 1, True, layout.top - 1 - layout.bias
        half = 1 << (drop - 1)
        up = {'rne': lost > half or (lost == half and (kept & 1 or total.sticky or beyond)), 'rna': lost >= half, 'rz': False,
              'ru': inexact and not total.negative, 'rd': inexact and total.negative, 'ro': inexact and not kept & 1,
              'sr': r < (lost << bits) >> drop}[mode]
        code = ((exponent + layout.bias - 1) << layout.fraction_bits) + kept if kept >> layout.fraction_bits else kept
        code += bool(up)
        flags = INEXACT * inexact
        if beyond or code >= layout.infinity:
            flags |= OVERFLOW | INEXACT
        if code >> layout.fraction_bits == 0 and inexact:      # by what is delivered
            flags |= UNDERFLOW
        return self.sign(total.negative) | code, flags


class Lfsr:
    """A Galois register that shifts right; the state before the step is used."""

    def __init__(self, width, mask, seed):
        self.state, self.mask = seed & ((1 << width) - 1), mask

    def next(self, bits):
        r = self.state & ((1 << bits) - 1)
        self.state = (self.state >> 1) ^ (self.mask if self.state & 1 else 0)
        return r


FP8, FP8ALT, FP16, BF16, FP32 = Layout(5, 2, 15), Layout(4, 3, 7), Layout(5, 10, 15), Layout(8, 7, 127), Layout(8, 23, 127)
