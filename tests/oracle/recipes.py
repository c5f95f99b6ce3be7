"""Models of training recipes, written from their definitions alone: what a pass sees of a tensor, and what its result becomes.

  RECIPES[name].arguments                     -> options of accsim beside --recipe NAME; sums are in binary32 everywhere
  RECIPES[name].loss_scale                    -> None: as stored
  RECIPES[name].operand(role, values, place)  -> what a pass sees of a tensor of binary64 values
  RECIPES[name].result(y, pass_, place, o)    -> (value, code or None) of output o, y exact and in real units

Scales divide in binary64, quotients are rounded exactly, results count the scale again.
"""
from fractions import Fraction
from math import sqrt

from blocks import parse_block_format, quantize_row, tensor_scale
from datapath import Conversion, Randoms
from formats import Rounding, encode, is_special, parse_format, round_number
from philox import SITE_OUTPUT
from trace import from_float, to_float

RESULT_ROLES = {'fprop': 'output', 'dgrad': 'grad_input', 'wgrad': 'grad_weight'}


class Place:
    """Where the random bits of a tensor come from, and what it was in the steps before."""

    def __init__(self, randoms, site, earlier_amax=0.0):
        self.randoms, self.site, self.earlier_amax = randoms, site, earlier_amax

    def draw(self, element, bits, count=1):
        at = Randoms(self.randoms.seed, self.randoms.layer, self.randoms.pass_, element)
        generator = at.generator(self.site, Rounding('sr:bits=%d' % bits))
        return [generator.next() for _ in range(count)]


def as_pair(x):
    return x if is_special(x) else (x.numerator, x.denominator.bit_length() - 1)


class Seen:
    """What the datapath sees of an operand, in the shape that evaluate() asks for."""

    def __init__(self, quantize, scale):
        self.quantize, self.quantizer_scale, self.memo = quantize, Fraction(scale), {}

    def element(self, i):
        if i is None:
            return 0, 0
        if i not in self.memo:
            self.memo[i] = as_pair(self.quantize(i))
        return self.memo[i]

    def row(self, places):
        return [self.element(i) for i in places]


class SeenInBlocks:
    """The same for a block format: blocks follow the row."""

    def __init__(self, values, quantizer, place):
        self.values, self.place, self.bits = values, place, quantizer.bits
        self.block = parse_block_format(quantizer.format)
        self.amax = Fraction(max(abs(v) for v in values))
        self.quantizer_scale = Fraction(to_float(tensor_scale(self.block, self.amax)))
        self.conversion = quantizer.conversion(self.block)

    def row(self, places):
        numbers = [Fraction(0) if i is None else Fraction(self.values[i]) for i in places]

        def random(k):
            return self.place.draw(places[k], self.bits)[0] if self.bits and places[k] is not None else 0
        return [as_pair(x) for x in quantize_row(numbers, self.block, self.conversion, self.amax, random)]


class Quantizer:
    """`bits` random bits, or to nearest even (`ties`: away); `scale`: None, 'delayed', or the range that a format of [-1, 1) stands for."""

    def __init__(self, format_, bits=0, overflow='saturate', scale=None, through=None, nearest_subnormals=False, ties='rne'):
        self.format, self.bits, self.overflow, self.scale = format_, bits, overflow, scale
        self.through, self.nearest_subnormals, self.ties = through, nearest_subnormals, ties

    def scale_of(self, place):
        if self.scale == 'delayed':
            return place.earlier_amax / to_float(parse_format(self.format).largest) or 1.0
        return self.scale or 1.0

    def conversion(self, block):
        return Conversion({'format': block.element, 'overflow': block.overflow, 'rounding': 'sr:bits=%d' % self.bits if self.bits else 'rne'})

    def rounded(self, value, scale, place, element):
        x, format_ = from_float(value / scale), parse_format(self.format)
        if self.through:
            x = round_number(x, parse_format(self.through), Rounding('rne'), 'ieee')[0]
        bits = self.bits
        if self.nearest_subnormals and not is_special(x) and abs(x) < Fraction(2) ** format_.emin:
            bits = 0
        r = place.draw(element, bits)[0] if bits else None
        return round_number(x, format_, Rounding('sr:bits=%d' % bits if bits else self.ties), self.overflow, r=r)[0]


class Recipe:
    def __init__(self, quantizers, loss_scale=None, arguments=()):
        self.quantizers, self.loss_scale, self.arguments = quantizers, loss_scale, arguments

    def operand(self, role, values, place):
        q = self.quantizers[role]
        if parse_block_format(q.format):
            return SeenInBlocks(values, q, place)
        scale = q.scale_of(place)
        return Seen(lambda i: q.rounded(values[i], scale, place, i), scale)

    def result(self, y, pass_, randoms, o):
        q = self.quantizers.get(RESULT_ROLES[pass_])
        if q is None:
            return y, None
        place = Place(randoms, SITE_OUTPUT)
        scale = q.scale_of(place)
        x = q.rounded(to_float(y), scale, place, o)
        code = encode(x, parse_format(q.format))
        return (x if is_special(x) else x * Fraction(scale)), code


class Luq:
    """INT4 with SAWB forward (clip = c1 rms + c2 mean magnitude), gradients 0 or alpha 2^n, unbiased."""

    loss_scale, arguments = None, ()

    def __init__(self, samples=1, code=False):
        self.samples, self.code = samples, code

    def operand(self, role, values, place):
        if role == 'grad_output':
            return self.gradient(values, place)
        squares = sum(Fraction(v) ** 2 for v in values) / len(values)
        mean = sum(abs(Fraction(v)) for v in values) / len(values)
        c1, c2 = (12.1, -12.2) if self.code else (12.68, -12.80)
        low, high, steps = -8, 7, 15
        if self.code:                                         # the official code: more levels than 4 bits have
            high = 8 if role == 'weight' else 15
            steps = 16 if role == 'weight' else 23 if min(values) < 0 else 15
        clip = c1 * sqrt(float(squares)) + c2 * float(mean)
        largest = 15 if self.code else 7                      # of the format that holds them, int5 or int4
        scale = 2 * clip / steps if clip > 0 else (max(abs(v) for v in values) / largest or 1.0)
        return Seen(lambda i: max(low, min(high, Fraction(round(Fraction(values[i] / scale))))), scale)  # round(): halves to even

    def gradient(self, values, place):
        largest = max(max(values), 0.0) if self.code else max(abs(v) for v in values)
        alpha = Fraction(largest) / (128 if self.code else 64) or Fraction(1)
        one = 1 << 24

        def level(v, r):
            power = Fraction(1)
            while v >= 2 * power:
                power *= 2
            low = Fraction(0) if v < 1 else power
            up = (v - low) / power * one                      # the share of the way up, in 24 bits
            return low + power if up.numerator // up.denominator + r >= one else low

        def element(i):
            v = abs(Fraction(values[i] / float(alpha)))
            if v == 0:
                return Fraction(0)
            mean = sum(level(v, r) for r in place.draw(i, 24, self.samples)) / self.samples
            return mean if values[i] > 0 else -mean
        return Seen(element, alpha)

    def result(self, y, _pass, _randoms, _o):
        return y, None


def everywhere(forward, gradient, **more):
    return {'input': forward, 'weight': forward, 'grad_output': gradient, **more}


def mellempudi(**emulator):
    forward = Quantizer('e5m2', overflow='ieee', through=emulator.get('through'))
    backward = Quantizer('e5m2', bits=8, overflow='ieee', **emulator)
    return everywhere(forward, backward, output=forward, grad_input=backward, grad_weight=backward)


BF16, SUMS_IN_BINARY32 = Quantizer('bf16'), ('--acc', 'fp32')
MXFP8, TILES, NVFP4 = Quantizer('mxfp8_e4m3:scale=rceil'), Quantizer('mxfp8_e4m3:scale=rceil,block=128'), Quantizer('nvfp4')
E4M3, E5M2 = Quantizer('e4m3', scale='delayed'), Quantizer('e5m2', scale='delayed')
RECIPES = {
    'mellempudi2019': Recipe(mellempudi(), 10000.0),
    'luq4': Luq(),
    'mellempudi2019_emulator': Recipe(mellempudi(through='fp16', nearest_subnormals=True), 10000.0),
    'luq4_smp2': Luq(samples=2),
    'luq4_code': Luq(code=True),
    'wang2018': Recipe(everywhere(Quantizer('e5m2'), Quantizer('e5m2')), 1000.0, SUMS_IN_BINARY32),
    'hfp8': Recipe(everywhere(Quantizer('e4m3:bias=11'), Quantizer('e5m2', overflow='ieee')), 512.0,
                   SUMS_IN_BINARY32 + ('--loss-scale', 'constant:512')),
    'transformer_engine': Recipe(everywhere(E4M3, E5M2, output=BF16, grad_input=BF16), arguments=SUMS_IN_BINARY32),
    'deepseek_v3': Recipe(everywhere(TILES, TILES, output=BF16, grad_input=BF16), arguments=SUMS_IN_BINARY32),
    'mxfp8': Recipe(everywhere(MXFP8, MXFP8, output=BF16, grad_input=BF16)),
    'nvfp4': Recipe(everywhere(NVFP4, Quantizer('nvfp4', bits=8), output=BF16, grad_input=BF16)),
    'sakr2019': Recipe({'input': Quantizer('u8.7', ties='rna'), 'weight': Quantizer('s14.13', ties='rna'),
                        'grad_output': Quantizer('s11.10', scale=2.0 ** -12, ties='rna'),
                        'grad_weight': Quantizer('s11.10', scale=2.0 ** -5, ties='rna')}, 1.0),
}
