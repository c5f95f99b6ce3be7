"""Number formats: names, codes and the one rounding of a real number into a format.

A number is a Fraction (zero is +0) or one of the strings '-0', 'inf', '-inf', 'nan'. Floats and fixed point only;
digit, posit, P3109 and block formats are not here. Everything is written from sections 1.1 and 1.2 of the contracts.

  parse_format('e4m3')                   -> Format
  decode(code, fmt)                      -> number
  encode(number, fmt)                    -> code (the number must be a value of the format)
  round_number(x, fmt, rounding, ...)    -> (number, events), events a sum of OVERFLOW, UNDERFLOW, INEXACT, INVALID
"""
from fractions import Fraction

OVERFLOW, UNDERFLOW, INEXACT, INVALID = 1, 2, 4, 8

CATALOGUE = {
    'binary16': 'e5m10', 'fp16': 'e5m10', 'binary32': 'e8m23', 'fp32': 'e8m23', 'binary64': 'e11m52', 'fp64': 'e11m52',
    'bf16': 'e8m7', 'tf32': 'e8m10', 'sr_fp12': 'e6m5', 'lba_fp12': 'e4m7:bias=10,specials=none,subnormals=off',
    'ocp_e4m3': 'e4m3:specials=fn', 'ocp_e5m2': 'e5m2:specials=ieee', 'ocp_e3m2': 'e3m2:specials=none',
    'ocp_e2m3': 'e2m3:specials=none', 'ocp_e2m1': 'e2m1:specials=none',
    'e4m3fnuz': 'e4m3:bias=8,specials=fnuz', 'e5m2fnuz': 'e5m2:bias=16,specials=fnuz',
    'e4m3b11fnuz': 'e4m3:bias=11,specials=fnuz',
}
# As everybody in deep learning writes them: these bare spellings are the OCP formats.
BARE_OCP_SPECIALS = {'e4m3': 'fn', 'e5m2': 'ieee', 'e3m2': 'none', 'e2m3': 'none', 'e2m1': 'none'}


def is_special(number):
    """Whether the number is one of the strings '-0', 'inf', '-inf', 'nan'."""
    return type(number) is str


class Float:
    """Sign, exponent and fraction fields. Magnitudes are significand * 2^exponent with integer significands."""

    is_float, signed = True, True

    def __init__(self, x, y, bias, specials, subnormals):
        self.x, self.y, self.bias, self.specials, self.subnormals = x, y, bias, specials, subnormals
        self.p = y + 1
        self.bits = 1 + x + y
        # Exponent field 0 is an ordinary binade only where nothing is reserved and there are no subnormals.
        self.field0_is_binade = specials == 'none' and not subnormals
        self.emin = -bias if self.field0_is_binade else 1 - bias
        all_ones = (1 << (x + y)) - 1
        self.max_code = {'ieee': (((1 << x) - 1) << y) - 1, 'fn': all_ones - 1, 'fnuz': all_ones, 'none': all_ones}[specials]
        self.max_sig, self.max_q = self.magnitude(self.max_code)
        # The smallest nonzero normal; where field 0 is a binade its first code is zero, so it is the next one.
        self.min_sig, self.min_q = (1 << y) + (1 if self.field0_is_binade else 0), self.emin - y
        self.smallest_spacing_exponent = self.emin - y
        self.has_inf = specials == 'ieee'
        self.has_nan = specials != 'none'
        self.has_negative_zero = specials != 'fnuz'
        self.nan_code = {'ieee': (((1 << x) - 1) << y) | (1 << y >> 1), 'fn': all_ones, 'fnuz': 1 << (x + y), 'none': None}[specials]
        self.largest = Fraction(self.max_sig) * Fraction(2) ** self.max_q
        self.facts = ('float', x, y, bias, specials, subnormals)

    def magnitude(self, code):
        """Significand and exponent of a code without its sign bit, specials not considered."""
        field, fraction = code >> self.y, code & ((1 << self.y) - 1)
        if field == 0 and not self.field0_is_binade:
            return (fraction if self.subnormals else 0), 1 - self.bias - self.y
        if field == 0 and fraction == 0:
            return 0, 0
        return (1 << self.y) + fraction, field - self.bias - self.y


class Fixed:
    """sW.F and uW.F: integers of W bits counted in units of 2^-F."""

    is_float, has_inf, has_nan, has_negative_zero = False, False, False, False

    def __init__(self, width, fraction_bits, signed):
        self.bits, self.f, self.signed = width, fraction_bits, signed
        self.low = -(1 << (width - 1)) if signed else 0
        self.high = (1 << (width - 1 if signed else width)) - 1
        self.largest = Fraction(self.high) * Fraction(2) ** -fraction_bits
        self.smallest_spacing_exponent = -fraction_bits
        self.facts = ('fixed', width, fraction_bits, signed)


def parse_format(name):
    text, _, options = name.strip().lower().partition(':')
    changed = dict(option.split('=') for option in options.split(',')) if options else {}
    if text in CATALOGUE:
        base = parse_format(CATALOGUE[text])
    elif text.startswith(('int', 'uint')) and text.split('int')[1].isdigit():
        base = Fixed(int(text.split('int')[1]), 0, text[0] == 'i')
    elif text[0] in 'su' and '.' in text:
        width, fraction_bits = text[1:].split('.')
        base = Fixed(int(width), int(fraction_bits), text[0] == 's')
    elif text[0] == 'e' and 'm' in text and text[1:].replace('m', '', 1).isdigit():
        x, y = (int(n) for n in text[1:].split('m'))
        base = Float(x, y, (1 << (x - 1)) - 1, BARE_OCP_SPECIALS.get(text, 'ieee'), True)
    else:
        raise ValueError('format %r is not one the oracle knows' % name)
    if not changed:
        return base
    if not base.is_float or set(changed) - {'bias', 'specials', 'subnormals'}:
        raise ValueError('format %r: unknown option' % name)
    subnormals = {'on': True, 'off': False}[changed['subnormals']] if 'subnormals' in changed else base.subnormals
    return Float(base.x, base.y, int(changed.get('bias', base.bias)), changed.get('specials', base.specials), subnormals)


def floor_log2(n, d=1):
    """floor(log2(n/d)) of positive integers."""
    e = n.bit_length() - d.bit_length()
    return e if (n << max(0, -e)) >= (d << max(0, e)) else e - 1


def decode(code, fmt):
    if not fmt.is_float:
        value = code - (1 << fmt.bits) if fmt.signed and code >> (fmt.bits - 1) else code
        return Fraction(value) * Fraction(2) ** -fmt.f
    negative, magnitude_code = code >> (fmt.bits - 1), code & ((1 << (fmt.bits - 1)) - 1)
    if fmt.specials == 'fnuz' and code == fmt.nan_code:
        return 'nan'
    if magnitude_code > fmt.max_code:
        infinite = fmt.specials == 'ieee' and magnitude_code == fmt.max_code + 1
        return ('-inf' if negative else 'inf') if infinite else 'nan'
    sig, q = fmt.magnitude(magnitude_code)
    if sig == 0:
        return '-0' if negative and fmt.has_negative_zero else Fraction(0)
    return (-1 if negative else 1) * Fraction(sig) * Fraction(2) ** q


def encode(value, fmt):
    """The code of a value of the format; ValueError where it has none."""
    if not fmt.is_float:
        k = value * Fraction(2) ** fmt.f
        if k.denominator != 1 or not fmt.low <= k <= fmt.high:
            raise ValueError('not a value of the format')
        return int(k) & ((1 << fmt.bits) - 1)
    sign_bit = 1 << (fmt.bits - 1)
    if value == 'nan':
        if not fmt.has_nan:
            raise ValueError('no NaN in the format')
        return fmt.nan_code
    if value in ('inf', '-inf'):
        if not fmt.has_inf:
            raise ValueError('no infinity in the format')
        return fmt.max_code + 1 + (sign_bit if value == '-inf' else 0)
    if value == '-0':
        if not fmt.has_negative_zero:
            raise ValueError('no -0 in the format')
        return sign_bit
    if value == 0:
        return 0
    n, d = abs(value).numerator, abs(value).denominator
    e = max(floor_log2(n, d), fmt.emin)
    sig = abs(value) / Fraction(2) ** (e - fmt.y)
    if sig.denominator != 1:
        raise ValueError('not a value of the format')
    sig = int(sig)
    if sig < 1 << fmt.y:                      # a subnormal
        if not fmt.subnormals:
            raise ValueError('no subnormals in the format')
        code = sig
    else:
        code = ((e + fmt.bias) << fmt.y) + sig - (1 << fmt.y)
    if code > fmt.max_code or code == 0:
        raise ValueError('outside the format')
    return code + (sign_bit if value < 0 else 0)


class Rounding:
    """rne rna rz ru rd ro, or sr:bits=R[,kind=...][,rng=...]; rng is kept as text for philox.py."""

    def __init__(self, spelling='rne'):
        text = spelling.strip().lower()
        text, _, self.rng = text.partition('rng=') if 'rng=' in text else (text, '', 'philox')
        self.mode, _, options = text.partition(':')
        fields = dict(option.split('=') for option in options.split(',') if option)
        self.random_bits = int(fields.get('bits', 0))
        self.kind = fields.get('kind', 'a')
        if self.mode not in ('rne', 'rna', 'rz', 'ru', 'rd', 'ro', 'sr') or (self.mode == 'sr') != (self.random_bits > 0):
            raise ValueError('rounding %r is not one the oracle knows' % spelling)
        if self.kind not in ('a', 'b', 'c', 'below'):
            raise ValueError('stochastic rounding kind %r is not one the oracle knows' % self.kind)

    @property
    def is_random(self):
        return self.mode == 'sr'


def rounds_up(rounding, negative, odd, rem, den, r):
    """Whether the magnitude goes up; the discarded part is rem/den, 0 < rem < den, `odd` that of the kept code."""
    mode = rounding.mode
    if mode == 'rne':
        return 2 * rem > den or (2 * rem == den and odd)
    if mode == 'rna':
        return 2 * rem >= den
    if mode == 'rz':
        return False
    if mode == 'ru':
        return not negative
    if mode == 'rd':
        return negative
    if mode == 'ro':
        return not odd
    bits = rounding.random_bits
    if rounding.kind == 'b':
        return (rem << (bits + 1)) // den + 2 * r + 1 >= 1 << (bits + 1)
    t, tail = divmod(rem << bits, den)
    if rounding.kind == 'a':
        return t + r >= 1 << bits
    if rounding.kind == 'below':
        return r < t
    if 2 * tail > den or (2 * tail == den and t % 2 == 1):
        t += 1
    return t + r >= 1 << bits


def round_ratio(negative, n, d, fmt, rounding, overflow, underflow, r):
    """Rounds +-n/d, n and d positive integers, into the format.

    Gives (special, k, q, events): the result is the string `special`, or, where that is None, the magnitude k * 2^q
    with the sign of the input, except in fixed point, where k carries its own sign.
    """
    if fmt.is_float:
        e = floor_log2(n, d)
        q = (max(e, fmt.emin) if underflow == 'gradual' else e) - fmt.p + 1
    else:
        q = -fmt.f
    num, den = (n, d << q) if q >= 0 else (n << -q, d)
    k, rem = divmod(num, den)
    events = 0
    if rem:
        events = INEXACT
        odd = k % 2 == 1
        if fmt.is_float and fmt.p == 1:
            odd = not (k == 0 or (q + fmt.bias) % 2 == 0)
        if rounds_up(rounding, negative, odd, rem, den, r):
            k += 1
    if not fmt.is_float:
        return round_fixed_range(-k if negative else k, q, fmt, overflow, events)

    below = (k << (q - fmt.min_q)) < fmt.min_sig if q >= fmt.min_q else k < fmt.min_sig << (fmt.min_q - q)
    if below:
        if underflow == 'flush':
            k, events = 0, INEXACT
        if events & INEXACT:
            events |= UNDERFLOW
        return ('-0' if negative and fmt.has_negative_zero else None) if k == 0 else None, k, q, events
    if q >= fmt.max_q and (k << (q - fmt.max_q)) > fmt.max_sig:
        special = overflow_result(negative, fmt, rounding, overflow)
        events |= OVERFLOW | INEXACT | (INVALID if special == 'nan' else 0)
        return special_into(special, fmt, fmt.max_sig, fmt.max_q, events)
    return None, k, q, events


def special_into(special, fmt, k, q, events):
    """A format without NaN gets zero in its place."""
    if special == 'nan' and not fmt.has_nan:
        return None, 0, 0, events
    return special, k, q, events


def overflow_result(negative, fmt, rounding, overflow):
    """None for the largest finite value of the sign, else 'inf', '-inf' or 'nan'."""
    if overflow == 'nan':
        return 'nan'
    if overflow == 'saturate':
        return None
    if overflow != 'ieee':
        raise ValueError('overflow %r is not one for floats' % overflow)
    if rounding.mode in ('rz', 'ro') or (rounding.mode == 'ru' and negative) or (rounding.mode == 'rd' and not negative):
        return None
    if fmt.has_inf:
        return '-inf' if negative else 'inf'
    return 'nan' if fmt.has_nan else None


def round_fixed_range(k, q, fmt, overflow, events):
    low = -fmt.high if overflow == 'saturate_symmetric' and fmt.signed else fmt.low
    if k == 0 and events:
        events |= UNDERFLOW
    if not low <= k <= fmt.high:
        events |= OVERFLOW | INEXACT
        if overflow == 'wrap':
            k &= (1 << fmt.bits) - 1
            k = k - (1 << fmt.bits) if k > fmt.high else k
        elif overflow in ('saturate', 'saturate_symmetric'):
            k = low if k < low else fmt.high
        elif overflow == 'saturate_zero':
            k = 0
        else:
            raise ValueError('overflow %r is not one for fixed point' % overflow)
    return None, k, q, events


def round_special(x, fmt, rounding, overflow):
    """-0, infinities and NaN into the format; same result as round_ratio, with k signed throughout."""
    if x == 'nan':
        return ('nan', 0, 0, 0) if fmt.has_nan else (None, 0, 0, INVALID)
    if x == '-0':
        return ('-0' if fmt.has_negative_zero else None), 0, 0, 0
    negative = x == '-inf'
    if not fmt.is_float:
        if overflow in ('wrap', 'saturate_zero'):
            return None, 0, 0, OVERFLOW | INEXACT
        low = -fmt.high if overflow == 'saturate_symmetric' and fmt.signed else fmt.low
        return None, (low if negative else fmt.high), -fmt.f, OVERFLOW | INEXACT
    if fmt.has_inf and overflow in ('ieee', 'nan'):  # an infinity that the format has is no overflow
        return x, 0, 0, 0
    special = 'nan' if overflow == 'nan' or (overflow == 'ieee' and fmt.has_nan) else None
    events = OVERFLOW | INEXACT | (INVALID if special == 'nan' else 0)
    return special_into(special, fmt, -fmt.max_sig if negative else fmt.max_sig, fmt.max_q, events)


def default_overflow(fmt):
    return 'ieee' if fmt.is_float else 'wrap'


def default_underflow(fmt):
    return 'flush' if fmt.is_float and not fmt.subnormals else 'gradual'


def round_number(x, fmt, rounding=None, overflow=None, underflow=None, r=None):
    """Rounds a number into the format with the random number r where the rounding is stochastic."""
    rounding = rounding or Rounding('rne')
    overflow, underflow = overflow or default_overflow(fmt), underflow or default_underflow(fmt)
    if underflow == 'gradual' and default_underflow(fmt) == 'flush':
        raise ValueError('a format without subnormals cannot underflow gradually')
    if is_special(x):
        special, k, q, events = round_special(x, fmt, rounding, overflow)
    elif x == 0:
        return Fraction(0), 0
    else:
        n, d = x.numerator, x.denominator
        special, k, q, events = round_ratio(n < 0, abs(n), d, fmt, rounding, overflow, underflow, r)
        if fmt.is_float and n < 0:
            k = -k
    if special:
        return special, events
    return (Fraction(k << q) if q >= 0 else Fraction(k, 1 << -q)), events
