"""The oracle's own tests: tables of reference/formats.md and accumulators.md, hand derivations, and numpy's float16.

  self_test.py [TRACE...]      with trace files, stored outputs and gradients are recomputed from their operands too
"""
import os
import random
import sys
import tempfile
from fractions import Fraction as F

import h5py
import numpy

import make_small_trace
from datapath import Datapath, Randoms, evaluate
from error_statistics import decibels, error_statistics, spacing
from formats import (INEXACT, INVALID, OVERFLOW, UNDERFLOW, Rounding, decode, default_underflow, encode, is_special, parse_format,
                     round_number)
from philox import MASK32, lfsr_step, philox4x32_10
from trace import from_float, layers, lower, multiply, to_float

tests = []


def test(function):
    tests.append(function)
    return function


def same(found, expected, what=''):
    assert type(found) is type(expected) or not isinstance(found, str), '%s: expected %s, found %s' % (what, expected, found)
    assert found == expected, '%s: expected %s, found %s' % (what, expected, found)


def two(exponent):
    return F(2) ** exponent


def rounded(x, name, rounding='rne', overflow=None, underflow=None, r=None):
    x = F(x) if isinstance(x, (int, float)) else x
    return round_number(x, parse_format(name), Rounding(rounding), overflow, underflow, r)


def code(x, name, rounding='rne', overflow=None):
    return encode(rounded(x, name, rounding, overflow)[0], parse_format(name))


@test
def largest_values_and_least_values_are_those_of_formats_md_section_2():
    rows = [('binary16', 0x7bff, 65504, -14, -24), ('bf16', 0x7f7f, two(127) * (2 - two(-7)), -126, -133),
            ('tf32', 0x3fbff, two(127) * (2 - two(-10)), -126, -136), ('ocp_e4m3', 0x7e, 448, -6, -9),
            ('e5m2', 0x7b, 57344, -14, -16), ('e4m3fnuz', 0x7f, 240, -7, -10), ('e5m2fnuz', 0x7f, 57344, -15, -17),
            ('e4m3b11fnuz', 0x7f, 30, -10, -13), ('e4m3:specials=ieee', 0x77, 240, -6, -9), ('e3m4', 0x6f, F(31, 2), -2, -6),
            ('ocp_e3m2', 0x1f, 28, -2, -4), ('e2m3', 0x1f, F(15, 2), 0, -3), ('ocp_e2m1', 7, 6, 0, -1),
            ('sr_fp12', 0x7df, 4227858432, -30, -35)]
    for name, top_code, largest, normal, subnormal in rows:
        fmt = parse_format(name)
        same(fmt.max_code, top_code, name)
        same(decode(top_code, fmt), F(largest), name)
        same(decode(1 << fmt.y, fmt), two(normal), name)
        same(decode(1, fmt), two(subnormal), name)
    lba = parse_format('lba_fp12')
    same(lba.largest, F(255, 4))
    same(decode(1, lba), two(-10) * (1 + two(-7)))
    same(parse_format('e4m7:bias=12,specials=none,subnormals=off').largest, F(255, 16))


@test
def every_code_decodes_to_a_value_that_encodes_to_it():
    names = ['fp16', 'bf16', 'e4m3', 'e5m2', 'e4m3fnuz', 'e5m2fnuz', 'e3m2', 'e2m3', 'e2m1', 'sr_fp12', 'lba_fp12', 'e4m3:bias=8',
             'e5m3:subnormals=off', 'e4m3:specials=fnuz,subnormals=off', 's8.3', 'u7.-2', 's5.9', 'int8', 'uint4']
    for name in names:
        fmt = parse_format(name)
        for c in range(0, 1 << fmt.bits, 1 if fmt.bits < 13 else 7):
            value = decode(c, fmt)
            if value == 'nan':
                assert fmt.has_nan
                same(encode(value, fmt), fmt.nan_code, name)
            elif value in (0, '-0') and fmt.is_float:
                assert encode(value, fmt) == c or not fmt.subnormals, (name, c)
            else:
                same(encode(value, fmt), c, name)
                same(round_number(value, fmt, underflow=default_underflow(fmt)), (value, 0), name)


@test
def specials_have_the_codes_of_the_tables():
    for name, value, c in [('e5m2', 'inf', 0x7c), ('e5m2', '-inf', 0xfc), ('e5m2', 'nan', 0x7e), ('e4m3', 'nan', 0x7f),
                           ('e4m3fnuz', 'nan', 0x80), ('fp16', 'nan', 0x7e00), ('bf16', 'nan', 0x7fc0), ('fp16', '-0', 0x8000)]:
        same(encode(value, parse_format(name)), c, name)
    for name, nans in [('e5m2', {0x7d, 0x7e, 0x7f, 0xfd, 0xfe, 0xff}), ('e4m3', {0x7f, 0xff}), ('e4m3fnuz', {0x80}), ('e3m2', set())]:
        fmt = parse_format(name)
        same({c for c in range(1 << fmt.bits) if decode(c, fmt) == 'nan'}, nans, name)


@test
def ocp_vectors_of_section_3_hold_with_and_without_saturation():
    e5m2 = [(61439, 0x7b, 0x7b), (61440, 0x7c, 0x7b), (two(-17), 0, 0), (3 * two(-17), 2, 2), ('inf', 0x7c, 0x7b), ('-inf', 0xfc, 0xfb)]
    e4m3 = [(464, 0x7e, 0x7e), (F(4641, 10), 0x7f, 0x7e), (10 ** 9, 0x7f, 0x7e), ('inf', 0x7f, 0x7e), (two(-10), 0, 0),
            (F(101, 100) * two(-10), 1, 1), (3 * two(-10), 2, 2), ('nan', 0x7f, 0x7f)]
    for name, rows in [('e5m2', e5m2), ('e4m3', e4m3)]:
        for x, plain, saturated in rows:
            same(code(x, name), plain, '%s %s' % (name, x))
            same(code(x, name, overflow='saturate'), saturated, '%s %s saturated' % (name, x))


@test
def narrow_vectors_of_sections_4_5_and_6_hold():
    for x, name, c in [(29, 'e3m2', 0x1f), (30, 'e3m2', 0x1f), (31, 'e3m2', 0x1f), (two(-5), 'e3m2', 0), (3 * two(-5), 'e3m2', 2),
                       (F(31, 4), 'e2m3', 0x1f), (8, 'e2m3', 0x1f), (two(-4), 'e2m3', 0), (3 * two(-4), 'e2m3', 2)]:
        same(code(x, name, overflow='saturate'), c, '%s %s' % (name, x))
    for x, y in [(F(1, 4), 0), (F(26, 100), .5), (F(3, 4), 1), (F(5, 4), 1), (F(126, 100), 1.5), (F(7, 4), 2), (F(5, 2), 2),
                 (F(251, 100), 3), (F(7, 2), 4), (5, 4), (F(501, 100), 6), (100, 6)]:
        same(rounded(x, 'e2m1', overflow='saturate')[0], F(y), 'e2m1 %s' % x)
    same(code(F(-1, 4), 'e2m1'), 8)
    for x, name in [(248, 'e4m3fnuz'), (61440, 'e5m2fnuz'), (31, 'e4m3b11fnuz')]:
        same(rounded(x, name), ('nan', OVERFLOW | INEXACT | INVALID), name)
        assert rounded(x - F(1, 100), name)[0] == parse_format(name).largest
    same(code(-two(-20), 'e4m3fnuz'), 0)


@test
def stochastic_rounding_counts_are_those_of_the_two_bit_table():
    table = {'a': '0000111122223333', 'b': '0011112222333344', 'c': '0001112222233344', 'below': '0000111122223333'}
    for kind, counts in table.items():
        for k in range(16):
            ups = sum(rounded(-(1 + F(k, 16)), 'int8', 'sr:bits=2,kind=' + kind, r=r)[0] == -2 for r in range(4))
            same(ups, int(counts[k]), '%s %d/16' % (kind, k))
    same([rounded(F(3, 4), 'int8', 'sr:bits=2', r=r)[0] for r in range(4)], [0, 1, 1, 1])
    same([rounded(F(3, 4), 'int8', 'sr:bits=2,kind=below', r=r)[0] for r in range(4)], [1, 1, 1, 0])


@test
def roundings_follow_the_table_of_section_1():
    values = [F(5, 2), F(-5, 2), F(7, 2), F(9, 4), F(-11, 4), F(3)]
    for mode, expected in [('rne', [2, -2, 4, 2, -3, 3]), ('rna', [3, -3, 4, 2, -3, 3]), ('rz', [2, -2, 3, 2, -2, 3]),
                           ('ru', [3, -2, 4, 3, -2, 3]), ('rd', [2, -3, 3, 2, -3, 3]), ('ro', [3, -3, 3, 3, -3, 3])]:
        same([rounded(v, 'int8', mode)[0] for v in values], expected, mode)
    same(rounded(3, 'e3m0:specials=none')[0], F(2), 'one significand bit: 2 has exponent field 4, even')
    same(rounded(6, 'e3m0:specials=none')[0], F(8), 'one significand bit: 8 has exponent field 6, even')


@test
def overflow_delivers_infinity_the_largest_or_nan_by_mode_and_format():
    big = 10 ** 6
    for mode, plus, minus in [('rne', 'inf', '-inf'), ('rz', 65504, -65504), ('ro', 65504, -65504), ('ru', 'inf', -65504),
                              ('rd', 65504, '-inf'), ('rna', 'inf', '-inf')]:
        same([rounded(big, 'fp16', mode)[0], rounded(-big, 'fp16', mode)[0]], [plus, minus], mode)
    same(rounded(big, 'lba_fp12'), (F(255, 4), OVERFLOW | INEXACT))
    same(rounded(big, 'fp16', overflow='nan'), ('nan', OVERFLOW | INEXACT | INVALID))
    same(rounded(65519, 'fp16'), (F(65504), INEXACT))
    for overflow, values in [('wrap', [-128, 127, 0, 44]), ('saturate', [127, -128, 127, 127]),
                             ('saturate_symmetric', [127, -127, 127, 127]), ('saturate_zero', [0, 0, 0, 0])]:
        same([rounded(v, 'int8', overflow=overflow)[0] for v in (128, -129, 256, 300)], values, overflow)
    same(rounded(-128, 'int8', overflow='saturate_symmetric'), (F(-127), OVERFLOW | INEXACT))
    same(rounded('inf', 'int8'), (F(0), OVERFLOW | INEXACT))
    same(rounded('-inf', 'int8', overflow='saturate'), (F(-128), OVERFLOW | INEXACT))
    same(rounded('nan', 'int8'), (F(0), INVALID))
    same(rounded(-3, 'u4.0', overflow='saturate'), (F(0), OVERFLOW | INEXACT))


@test
def underflow_is_gradual_flushed_or_kept():
    tiny = two(-20) * F(9, 8)
    same(rounded(tiny, 'fp16')[0], two(-20) * F(9, 8))
    same(rounded(tiny * F(33, 32), 'fp16'), (19 * two(-24), INEXACT | UNDERFLOW))       # 18.5625 steps of 2^-24
    same(rounded(-tiny, 'fp16', underflow='flush'), ('-0', INEXACT | UNDERFLOW))
    same(rounded(-tiny, 'fp16', 'rd', underflow='flush')[0], '-0')
    same(rounded(two(-14) * (1 - two(-12)), 'fp16', underflow='flush'), (two(-14), INEXACT))
    same(rounded(two(-30), 'fp16', underflow='none'), (two(-30), 0))
    same(rounded(two(-30) * F(4097, 4096), 'fp16', underflow='none'), (two(-30), INEXACT | UNDERFLOW))
    same(rounded(two(-10), 'lba_fp12', 'rz'), (F(0), INEXACT | UNDERFLOW))
    same(rounded(-two(-10) * F(257, 256), 'lba_fp12', 'rz'), ('-0', INEXACT | UNDERFLOW))
    same(rounded(two(-10) * F(257, 256), 'lba_fp12', 'ru')[0], two(-10) * F(129, 128))
    same(rounded(two(-10) * F(129, 128), 'lba_fp12', 'rz'), (two(-10) * F(129, 128), 0))


@test
def lba_examples_of_accumulators_md_section_1_2_hold():
    for s, x, expected in [(F(3, 2), two(-8), F(3, 2)), (F(3, 2), -two(-11), F(14921875, 10 ** 7)), (F(1), -two(-11), F(99609375, 10 ** 8))]:
        same(rounded(s + x, 'lba_fp12', 'rz', 'saturate')[0], expected)


@test
def every_finite_product_of_e5m2_is_a_value_of_e6m5():
    e5m2, e6m5 = parse_format('e5m2'), parse_format('sr_fp12')
    values = [v for v in (decode(c, e5m2) for c in range(128)) if not is_special(v)]
    assert all(round_number(x * y, e6m5)[1] == 0 for x in values for y in values)


@test
def binary16_rne_equals_numpy_for_random_doubles_and_ties():
    rng = random.Random(3)
    for i in range(4000):
        v = rng.choice([-1, 1]) * rng.random() * 2.0 ** rng.randrange(-28, 17)
        v = float(numpy.float16(v)) * (1 + 2.0 ** -11) if i % 2 else v
        expected = int(numpy.float64(v).astype(numpy.float16).view(numpy.uint16))
        same(encode(rounded(from_float(v), 'fp16')[0], parse_format('fp16')), expected, repr(v))
        same(to_float(rounded(from_float(v), 'fp32')[0]), float(numpy.float32(v)), repr(v))


@test
def philox_gives_the_known_answers_of_random123():
    pi = (0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344), (0xa4093822, 0x299f31d0)
    for counter, key, words in [((0,) * 4, (0,) * 2, (0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)),
                                ((MASK32,) * 4, (MASK32,) * 2, (0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)),
                                pi + ((0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1),)]:
        same(philox4x32_10(counter, key), words)


@test
def the_13_bit_galois_lfsr_has_period_8191_and_steps_are_inverse_in_pairs():
    state, period = 1, 0
    while period == 0 or state != 1:
        state, period = lfsr_step(state, 13, 0x100d, 'galois', 'right'), period + 1
    same(period, 8191)
    same(lfsr_step(0b1000, 4, 0b0011, 'galois', 'left'), 0b0011)
    same(lfsr_step(0b1001, 4, 0b1100, 'fibonacci', 'left'), 0b0011)
    same(lfsr_step(0b1001, 4, 0b0011, 'fibonacci', 'right'), 0b1100)


class Given:
    """An operand given as a list of numbers."""

    def __init__(self, numbers):
        self.numbers = [x if is_special(x) else F(x) for x in numbers]

    def element(self, i):
        x = self.numbers[i]
        return x if is_special(x) else (x.numerator, x.denominator.bit_length() - 1)

    def row(self, indices):
        return [self.element(i) for i in indices]


def reduce(levels, a, b=None, product='exact', **more):
    b = b or [1] * len(a)
    table = {'product': {'format': product, **more.pop('product_more', {})}, 'reduction': levels, **more}
    return evaluate(Datapath(table), Given(a), Given(b), [(i, i) for i in range(len(a))], Randoms(0, 0, 'fprop', 0))


@test
def a_sequential_level_rounds_every_sum_once_and_counts_its_events():
    level = {'kind': 'sequential', 'format': 'e5m3', 'rounding': 'rz'}
    r = reduce([level], [16, F(1, 2), F(1, 2), -16])       # 16, 16 (swamped), 16 (swamped), 0
    same((r.value, r.reference), (F(0), F(1)))
    same((r.events['swamped'], r.events['sum_inexact'], r.events['sum_underflow']), (2, 2, 0))
    same((r.max_abs_product, r.max_abs_partial), (F(16), F(33, 2)))
    two_levels = [{**level, 'terms': 3}, level]
    same(reduce(two_levels, [16, F(1, 2), F(1, 2), F(1, 2), F(1, 2), F(1, 2)]).value, F(16))      # 16 and 3/2: 35/2 cut to 16
    same(reduce(two_levels, [16, F(1, 2), F(1, 2), F(1, 2), F(1, 2), F(1)]).value, F(18))         # 16 and 2
    r = reduce([{'kind': 'sequential', 'format': 'int4', 'overflow': 'saturate'}], [7, 7, -7, -7])
    same((r.value, r.events['sum_overflow'], r.events['swamped'], r.outside_last_level), (F(-7), 1, 1, False))


@test
def special_values_and_signs_of_zero_pass_as_in_ieee_754():
    level = {'kind': 'sequential', 'format': 'fp16'}
    down = {**level, 'rounding': 'rd'}
    for x, y, levels, value, invalid in [
            (['inf', 1], [0, 1], [level], 'nan', 1), (['inf', '-inf'], None, [level], 'nan', 1), (['nan', 1], None, [level], 'nan', 0),
            (['inf', 1], None, [level], 'inf', 0), (['-0', '-0'], None, [level], 0, 0), (['-0'], None, [down], '-0', 0),
            ([1, -1], None, [level], 0, 0), ([1, -1], None, [down], '-0', 0), ([0, 0], None, [down], 0, 0),
            (['-inf'], [-2], [level], 'inf', 0), ([60000, 60000, -60000], None, [level], 'inf', 0)]:
        r = reduce(levels, x, y)
        same((r.value, r.events['invalid']), (value, invalid), str((x, y)))
    r = reduce([{'kind': 'sequential', 'format': 'lba_fp12', 'overflow': 'saturate'}], ['inf', 'nan'], [0, 1], 'lba_fp12')
    same((r.value, r.events['invalid'], r.events['sum_inexact']), (0, 2, 0))


@test
def trees_interleaving_and_exact_levels_add_in_the_stated_order():
    tree = {'kind': 'tree', 'format': 'int4', 'overflow': 'saturate'}
    same(reduce([tree], [7, 7, -7, -7, 3]).value, F(2))                  # (7+7 = 7) + (-7-7 = -8) = -1, +3
    same(reduce([{**tree, 'fan_in': 3}], [7, 7, -7, -7, 3]).value, F(3))  # 7, -4
    ways = {'kind': 'interleaved', 'ways': 2, 'combine': 'sequential', 'format': 'int4', 'overflow': 'saturate'}
    same(reduce([ways], [7, -8, 7, -8]).value, F(-1))                    # 7 and -8
    exact = {'kind': 'exact', 'terms': 2, 'with_accumulator': True, 'format': 'int4', 'overflow': 'saturate'}
    same(reduce([exact], [7, 7, -7, -7]).value, F(-7))                   # 7, then 7-7-7
    same(reduce([{'kind': 'exact', 'format': 'int4', 'overflow': 'saturate'}], [7, 7, -7, -7]).value, F(0))


@test
def statistics_of_a_two_output_layer_are_those_computed_by_hand():
    class O:
        pass
    outputs = []
    for y, reference in [(F(1), F(2)), (F(5), F(4)), ('inf', F(9))]:
        o = O()
        o.y = o.raw_y = y
        o.reference = o.raw_reference = o.signal = reference
        outputs.append(o)
    s = error_statistics(outputs, parse_format('e5m2'))
    same((s['error']['sndr_db'], s['error']['csnr_db'], s['error']['bias'], s['error']['mse']), (0.0, 0.0, 0.0, 1.0))
    same((s['error']['max_abs'], s['error']['max_ulp'], s['quantization']['sqnr_db']), (1.0, 2.0, 'inf'))
    assert abs(s['error']['snr_power_db'] - 10) < 1e-12 and abs(s['error']['cosine'] - 22 / (26 * 20) ** .5) < 1e-15
    same((decibels(F(0), F(0)), decibels(F(0), F(1)), spacing(parse_format('lba_fp12'), F(0))), (None, '-inf', two(-17)))


def gradients_are_adjoint(layer):
    """<grad_output, fprop> = <dgrad, a> = <wgrad, b>, exactly, for the unscaled elements."""
    def plain(x):
        return F(0) if x == '-0' else x

    def inner(tensor, pass_):
        lowering = lower(layer, pass_)
        a, b = layer.tensor(lowering.a), layer.tensor(lowering.b)
        total = F(0)
        for o in range(lowering.outputs):
            terms = [(i, j) for i, j in lowering.terms(o) if i is not None and j is not None]
            total += plain(tensor.unscaled(o)) * sum(plain(a.unscaled(i)) * plain(b.unscaled(j)) for i, j in terms)
        return total

    a, b = ('a', 'b') if layer.op == 'matmul' else ('input', 'weight')
    forward = inner(layer.tensor('grad_output'), 'fprop')
    same(inner(layer.tensor(a), 'dgrad'), forward, layer.name + ' dgrad')
    same(inner(layer.tensor(b), 'wgrad'), forward, layer.name + ' wgrad')


@test
def the_synthetic_trace_is_read_in_order_and_its_gradients_are_adjoint():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'small.h5')
        make_small_trace.write(path)
        with h5py.File(path, 'r') as f:
            found = layers(f)
            same([layer.name.split('/')[-1] for layer in found[:7]], [
                'conv_groups_asymmetric', 'conv_depthwise', 'conv_defaults', 'linear_many_dims', 'z_broadcast', 'y_transposed', 'x_plain'])
            for layer in found:
                if len(layer.passes()) == 3 and 'special' not in layer.name:
                    gradients_are_adjoint(layer)


def stored_results_are_reproduced(path, rng):
    """Sampled stored outputs and gradients, which are sums in binary32, from the operands of the trace."""
    with h5py.File(path, 'r') as f:
        for layer in layers(f):
            names = {'fprop': ['output'], 'dgrad': ['grad_input', 'grad_a'], 'wgrad': ['grad_weight', 'grad_b']}
            for pass_ in layer.passes():
                lowering = lower(layer, pass_)
                for name in [name for name in names[pass_] if name in layer.group]:
                    same(layer.shape(name), lowering.out_shape, layer.name)
                    stored = layer.group[name][()].reshape(-1)
                    a, b = layer.tensor(lowering.a), layer.tensor(lowering.b)
                    for o in rng.sample(range(lowering.outputs), min(2, lowering.outputs)):
                        terms = [(i, j) for i, j in lowering.terms(o) if i is not None and j is not None]
                        products = [to_float(multiply(multiply(a.unscaled(i), a.scale(i)), multiply(b.unscaled(j), b.scale(j))))
                                    for i, j in terms]
                        bias = 0.0
                        if pass_ == 'fprop' and 'bias' in layer.group:
                            channel = o % lowering.out_shape[-1] if layer.op == 'linear' else \
                                o // (lowering.out_shape[2] * lowering.out_shape[3]) % lowering.out_shape[1]
                            bias = float(layer.group['bias'][channel])
                        size = sum(abs(p) for p in products) + abs(bias)
                        assert abs(sum(products) + bias - stored[o]) <= 1e-5 * size, '%s %s %d' % (layer.name, pass_, o)


def main():
    passed = failed = 0
    runs = [(t.__name__, t) for t in tests]
    runs += [('stored_results_of_%s_are_reproduced' % os.path.basename(p), lambda p=p: stored_results_are_reproduced(p, random.Random(5)))
             for p in sys.argv[1:]]
    for name, function in runs:
        try:
            function()
            passed += 1
        except AssertionError as problem:
            failed += 1
            print('FAILED %s: %s' % (name.replace('_', ' '), problem))
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
