"""Matrix units as published models, in whole numbers: an independent oracle for the built-in datapaths.

Written from the definitions of arXiv 2511.10909 (T-, ST-, GST-, E-, TR-, GTR-FDPA, FTZ-AddMul), its code at microsoft/MMA-Sim c785138 for the
models of 2025, and the rule of MATLAB-tensor-core b12b5a7 for mma.sync with FP8. A finite value is a whole number of units of 2^UNIT.

  UNITS[name] -> Unit: operand formats, accumulator format, terms of an issue, and step(a, b, c), which takes decoded operands of one issue
  and the accumulator's code and gives the next accumulator's code.
"""
UNIT = -2400


class Layout:
    """A binary float format: decoding to whole numbers and rounding back."""

    def __init__(self, exponent_bits, fraction_bits, bias, specials='ieee'):
        self.fraction_bits, self.bias, self.specials = fraction_bits, bias, specials
        self.bits = 1 + exponent_bits + fraction_bits
        self.top = (1 << exponent_bits) - 1
        self.emin = 1 - bias
        self.nan_code = {'ieee': (self.top << fraction_bits) | (1 << fraction_bits >> 1), 'fnuz': 1 << (self.bits - 1),
                         'fn': (1 << (self.bits - 1)) - 1, 'none': 0}[specials]
        self.infinity = self.top << fraction_bits

    def decode(self, code):
        return Number(self, code)

    def encode(self, value, mode, fraction_bits=None):
        """A whole number rounded (rz or rne) to this format, or to fewer fraction bits of it; overflow is an infinity, cut sums' too (as in MMA-Sim,
        whose cut value becomes a binary32 infinity, and in MATLAB-tensor-core)."""
        fraction_bits = self.fraction_bits if fraction_bits is None else fraction_bits
        sign = (1 << (self.bits - 1)) if value < 0 else 0
        size = abs(value)
        if size == 0:
            return 0
        exponent = max(size.bit_length() - 1 + UNIT, self.emin)
        drop = exponent - fraction_bits - UNIT
        kept, lost = size >> drop, size & ((1 << drop) - 1)
        if mode == 'rne' and (lost > 1 << (drop - 1) or (lost == 1 << (drop - 1) and kept & 1)):
            kept += 1
        if kept >> (fraction_bits + 1):
            kept, exponent = kept >> 1, exponent + 1
        kept <<= self.fraction_bits - fraction_bits
        code = kept if kept >> self.fraction_bits == 0 else ((exponent + self.bias) << self.fraction_bits) | (kept & ((1 << self.fraction_bits) - 1))
        if code >= self.infinity:
            code = self.infinity
        return sign | code


class Number:
    """What a code stands for: .value (a whole number), .exponent (that of the field, a subnormal's the smallest), .significand * 2^.."""

    def __init__(self, layout, code):
        field = (code >> layout.fraction_bits) & layout.top
        fraction = code & ((1 << layout.fraction_bits) - 1)
        self.code, self.nan, self.infinite = code, False, False
        self.negative = code >> (layout.bits - 1) == 1
        if layout.specials == 'ieee' and field == layout.top:
            self.nan, self.infinite = fraction != 0, fraction == 0
        elif layout.specials == 'fn' and code & ((1 << (layout.bits - 1)) - 1) == layout.nan_code:
            self.nan = True
        elif layout.specials == 'fnuz' and code == layout.nan_code:
            self.nan = True
        self.is_subnormal = field == 0
        self.exponent = max(field, 1) - layout.bias
        size = (fraction | (layout.fraction_bits > 0 and field > 0) << layout.fraction_bits) if field else fraction
        self.value = (-size if self.negative else size) << (self.exponent - layout.fraction_bits - UNIT)
        if self.nan or self.infinite:
            self.value = 0

    @property
    def finite(self):
        return not (self.nan or self.infinite)


FORMATS = {'fp64': Layout(11, 52, 1023), 'fp32': Layout(8, 23, 127), 'tf32': Layout(8, 10, 127), 'bf16': Layout(8, 7, 127),
           'fp16': Layout(5, 10, 15), 'ocp_e5m2': Layout(5, 2, 15), 'ocp_e4m3': Layout(4, 3, 7, 'fn'), 'e3m2': Layout(3, 2, 3, 'none'),
           'e2m3': Layout(2, 3, 1, 'none'), 'e2m1': Layout(2, 1, 1, 'none'), 'e4m3fnuz': Layout(4, 3, 8, 'fnuz'),
           'e5m2fnuz': Layout(5, 2, 16, 'fnuz')}


def cut(value, lsb, down=False):
    """What of a whole number lies at or above 2^lsb: toward zero, or down."""
    drop = lsb - UNIT
    if drop <= 0:
        return value
    return (value >> drop) << drop if down or value >= 0 else -((-value >> drop) << drop)


def special(products, c, layout):
    """The code where NaN or infinities decide (IEEE 754), or None. Products are pairs of Numbers; an infinity may be given as +1 or -1."""
    plus = minus = nan = False
    for x, y in products:
        nan |= x.nan or y.nan or (x.infinite and y.finite and y.value == 0) or (y.infinite and x.finite and x.value == 0)
        if (x.infinite or y.infinite) and not nan:
            minus |= x.negative != y.negative
            plus |= x.negative == y.negative
    nan |= c.nan
    plus |= c.infinite and not c.negative
    minus |= c.infinite and c.negative
    if nan or (plus and minus):
        return layout.nan_code
    if plus or minus:
        return layout.infinity | (minus << (layout.bits - 1))
    return None


def product_value(x, y):
    return x.value * y.value >> -UNIT  # exact: even a product of two subnormals of binary64 is far above 2^UNIT


def zero_code(products, c, layout):
    """The code of a sum of zero: minus only where every addend is a zero of that sign."""
    all_minus = c.value == 0 and c.negative and all(product_value(x, y) == 0 and x.negative != y.negative for x, y in products)
    return 1 << (layout.bits - 1) if all_minus else 0


def finish(total, products, c, layout, mode, fraction_bits=None):
    return layout.encode(total, mode, fraction_bits) if total else zero_code(products, c, layout)


def truncated_fused_sum(addends, bits):
    """Addends (value, exponent), exponents of None not counting: cut below the largest exponent and summed; (sum, that exponent)."""
    exponents = [e for _, e in addends if e is not None]
    if not exponents:
        return 0, None
    largest = max(exponents)
    return sum(cut(v, largest - bits) for v, _ in addends), largest


class Unit:
    """One unit; `forms` are the operand formats that its datapath is tried with."""

    def __init__(self, forms, result, terms, step, chained=True):
        self.forms, self.result, self.terms, self.step, self.chained = forms, FORMATS[result], terms, step, chained
        self.result_name = result


def t_fdpa(forms, result, terms, bits, e_zero, mode, fraction_bits=None, zero_operand=None):
    layout = FORMATS[result]

    def exponent(x):
        return zero_operand if x.value == 0 and zero_operand is not None else x.exponent

    def step(a, b, c_code):
        c = layout.decode(c_code)
        pairs = list(zip(a, b))
        code = special(pairs, c, layout)
        if code is not None:
            return code
        addends = [(product_value(x, y), exponent(x) + exponent(y)) for x, y in pairs] + [(c.value, exponent(c))]
        if zero_operand is None:
            addends = [(v, e if v else e_zero) for v, e in addends]
        return finish(truncated_fused_sum(addends, bits)[0], pairs, c, layout, mode, fraction_bits)
    return Unit(forms, result, terms, step)


def exact_fdpa(forms, result, terms):
    layout = FORMATS[result]

    def step(a, b, c_code):
        c = layout.decode(c_code)
        pairs = list(zip(a, b))
        code = special(pairs, c, layout)
        return code if code is not None else finish(c.value + sum(product_value(x, y) for x, y in pairs), pairs, c, layout, 'rne')
    return Unit(forms, result, terms, step)


def pairwise(forms, terms, flush):
    layout = FORMATS['fp32']

    def flushed(code):
        x = layout.decode(code)
        return code & 0x80000000 if flush and x.finite and x.is_subnormal else code

    def add(p, q):
        x, y, one = layout.decode(p), layout.decode(q), layout.decode(0x3f800000)
        code = special([(x, one)], y, layout)
        return code if code is not None else flushed(finish(x.value + y.value, [(x, one)], y, layout, 'rne'))

    def times(x, y):
        zero = layout.decode(0)
        code = special([(x, y)], zero, layout)
        if code is not None:
            return code
        value = product_value(x, y)
        return flushed((layout.encode(value, 'rne') & 0x7fffffff) | (0x80000000 if x.negative != y.negative else 0))

    def step(a, b, c_code):
        if flush:
            a, b = [[plus_zero(x) for x in side] for side in (a, b)]
            c_code = plus_zero(layout.decode(c_code)).code
        p = [times(x, y) for x, y in zip(a, b)]
        while len(p) > 1:
            p = [add(p[i], p[i + 1]) for i in range(0, len(p), 2)]
        return add(c_code, p[0])
    return Unit(forms, 'fp32', terms, step)


def plus_zero(x):
    """+0 in place of a subnormal or a zero."""
    if x.finite and x.is_subnormal:
        x.value, x.negative, x.code = 0, False, 0
    return x


def tr_fdpa(forms, terms, subsets=1, sum_bits=32, last_bits=31, zero_operand=None, drop=False, bits=24):
    layout = FORMATS['fp32']

    def exponent(x):
        return zero_operand if x.value == 0 and zero_operand is not None else x.exponent

    def step(a, b, c_code):
        c = layout.decode(c_code)
        pairs = list(zip(a, b))
        code = special(pairs, c, layout)
        values = [product_value(x, y) for x, y in pairs]
        if code != layout.nan_code:
            over = {v > 0 for v in values if abs(v) >= 1 << (128 - UNIT)}
            if over:
                over |= {code >> 31 == 0} if code is not None else set()
                code = layout.nan_code if len(over) == 2 else layout.infinity | (0 if over == {True} else 1 << 31)
        if code is not None:
            return code
        addends = [(v, exponent(x) + exponent(y) if v or zero_operand is not None else None) for v, (x, y) in zip(values, pairs)]
        sums = [truncated_fused_sum(addends[i::subsets], bits) for i in range(subsets)]
        e_dot = max((e for _, e in sums if e is not None), default=-10000)
        dot = sums[0][0] if subsets == 1 else sum(cut(s, e_dot - bits, down=True) for s, _ in sums)
        e_c = exponent(c)
        e_max = max(e_dot, e_c)
        kept_c = 0 if drop and e_c < e_max - bits - 1 else cut(c.value, e_max - bits, down=True)
        total = cut(dot, e_max - sum_bits, down=True) + kept_c
        if last_bits and total:
            total = cut(total, max(abs(total).bit_length() - 1 + UNIT, layout.emin) - last_bits, down=True)
        return finish(total, pairs, c, layout, 'rne')
    return Unit(forms, 'fp32', terms, step)


def mma_fp8(result):
    layout = FORMATS[result]
    steps = t_fdpa([], result, 16, 25, -133, 'rz' if result == 'fp32' else 'rne').step
    first = [k for k in range(32) if k % 4 < 2]
    second = [k for k in range(32) if k % 4 >= 2]

    def step(a, b, c_code):
        d = 0
        for part in (first, second):
            d = steps([a[k] for k in part], [b[k] for k in part], d)
        one, x, c = layout.decode(layout.bias << layout.fraction_bits), layout.decode(d), layout.decode(c_code)
        code = special([(x, one)], c, layout)
        return code if code is not None else finish(x.value + c.value, [(x, one)], c, layout, 'rne')
    return Unit(FP8, result, 32, step)


FP8 = [('ocp_e4m3', 'ocp_e4m3'), ('ocp_e5m2', 'ocp_e5m2'), ('ocp_e4m3', 'ocp_e5m2')]
FP8_FP4 = FP8 + [('e2m1', 'e2m1'), ('e3m2', 'ocp_e4m3'), ('e2m3', 'e2m1')]
FNUZ = [('e4m3fnuz', 'e4m3fnuz'), ('e5m2fnuz', 'e5m2fnuz'), ('e4m3fnuz', 'e5m2fnuz')]


def both(name):
    return [(name, name)]


UNITS = {'nvidia_fp64': exact_fdpa(both('fp64'), 'fp64', 1), 'cdna_fp64': exact_fdpa(both('fp64'), 'fp64', 1),
         'cdna_fp32': exact_fdpa(both('fp32'), 'fp32', 1),
         'volta_fp16_fp32': t_fdpa(both('fp16'), 'fp32', 4, 23, -131, 'rz'), 'volta_fp16_fp16': t_fdpa(both('fp16'), 'fp16', 4, 23, -20, 'rne'),
         'turing_fp16_fp32': t_fdpa(both('fp16'), 'fp32', 8, 24, -132, 'rz'), 'turing_fp16_fp16': t_fdpa(both('fp16'), 'fp16', 8, 24, -21, 'rne'),
         'ada_fp8_fp32': t_fdpa(FP8, 'fp32', 16, 13, -132, 'rz', 13), 'ada_fp8_fp16': t_fdpa(FP8, 'fp16', 16, 13, -21, 'rne'),
         'hopper_fp16_fp16': t_fdpa(both('fp16'), 'fp16', 16, 25, -133, 'rne'),
         'hopper_fp16_fp16_matlab': t_fdpa(both('fp16'), 'fp16', 16, 25, -21, 'rne'),
         'hopper_fp16_fp16_2025': t_fdpa(both('fp16'), 'fp16', 16, 25, None, 'rne', zero_operand=-126),
         'hopper_fp8_fp32': t_fdpa(FP8, 'fp32', 32, 13, -133, 'rz', 13), 'hopper_fp8_fp16': t_fdpa(FP8, 'fp16', 32, 13, -133, 'rne'),
         'hopper_mma_fp8_fp32': mma_fp8('fp32'), 'hopper_mma_fp8_fp16': mma_fp8('fp16'),
         'blackwell_mma_fp8_fp32': mma_fp8('fp32'), 'blackwell_mma_fp8_fp16': mma_fp8('fp16'),
         'blackwell_fp16_fp16': t_fdpa(both('fp16'), 'fp16', 16, 25, -133, 'rne'),
         'blackwell_fp8_fp32': t_fdpa(FP8_FP4, 'fp32', 32, 25, -133, 'rz'), 'blackwell_fp8_fp16': t_fdpa(FP8_FP4, 'fp16', 32, 25, -133, 'rne'),
         'cdna1_fp16_fp32': exact_fdpa(both('fp16'), 'fp32', 4), 'cdna1_bf16_fp32': exact_fdpa(both('bf16'), 'fp32', 2),
         'cdna1_fp16_fp32_pairwise': pairwise(both('fp16'), 4, False), 'cdna1_bf16_fp32_pairwise': pairwise(both('bf16'), 2, False),
         'cdna2_fp16_fp32': pairwise(both('fp16'), 4, True), 'cdna2_bf16_1k_fp32': pairwise(both('bf16'), 4, True),
         'cdna2_bf16_fp32': pairwise(both('bf16'), 2, True),
         'cdna3_fp8_fp32': tr_fdpa(FNUZ, 16, subsets=2, drop=True),
         'cdna3_fp8_fp32_2025': tr_fdpa(FNUZ, 16, subsets=2, drop=True, sum_bits=31, last_bits=None, zero_operand=-126)}
for _arch in ('ampere', 'ada'):
    UNITS[_arch + '_fp16_fp16'] = t_fdpa(both('fp16'), 'fp16', 8, 24, -21, 'rne')
for _arch, _terms, _bits, _zero in (('ampere', 8, 24, -132), ('ada', 8, 24, -132), ('hopper', 16, 25, -133), ('blackwell', 16, 25, -133)):
    for _operand in ('fp16', 'bf16', 'tf32'):
        UNITS['%s_%s_fp32' % (_arch, _operand)] = t_fdpa(both(_operand), 'fp32', _terms // 2 if _operand == 'tf32' else _terms, _bits, _zero, 'rz')
for _name, _operand, _terms in (('fp16', 'fp16', 8), ('bf16', 'bf16', 8), ('xf32', 'tf32', 4)):
    UNITS['cdna3_%s_fp32' % _name] = tr_fdpa(both(_operand), _terms)
    UNITS['cdna3_%s_fp32_2025' % _name] = tr_fdpa(both(_operand), _terms, sum_bits=31, last_bits=None, zero_operand=-126)
