"""Blackwell's units for MXFP8, MXFP6, MXFP4 and NVFP4 against their published models, through `accsim run` on layers made for it and through
`accsim check` on rows of any codes.

  test_block_units.py ACCSIM [--rows N] [--seed S]

Operands are elements times scales that the quantizer finds again: every block has an element of the largest binade (MX), or of the largest
value in a tensor whose largest magnitude is 448 * 6 (NVFP4). C enters as a bias. Rows of vectors need no quantizer: elements and scales are
drawn from all their codes, NaN, infinities and a scale of zero among them.
"""
import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
from fractions import Fraction

import h5py
import numpy as np
from matrix_units import FORMATS, UNIT, cut, finish, product_value, special, truncated_fused_sum

E4M3, FP32 = FORMATS['ocp_e4m3'], FORMATS['fp32']
# name, datapath, operand format, element, block, issue
UNITS = [('mxfp8_e4m3', 'blackwell_mxfp8', 'ocp_e4m3', 32, 32), ('mxfp8_e5m2', 'blackwell_mxfp8', 'ocp_e5m2', 32, 32),
         ('mxfp6_e3m2', 'blackwell_mxfp6', 'e3m2', 32, 32), ('mxfp6_e2m3', 'blackwell_mxfp6', 'e2m3', 32, 32),
         ('mxfp4', 'blackwell_mxfp4_k32', 'e2m1', 32, 32), ('mxfp4', 'blackwell_mxfp4', 'e2m1', 32, 64),
         ('mxfp4:block=16', 'blackwell_mxfp4', 'e2m1', 16, 64), ('nvfp4', 'blackwell_nvfp4', 'e2m1', 16, 64)]


class Scale:
    """A block's scale: significand (a fraction) times 2^exponent."""

    def __init__(self, significand, exponent, nan=False):
        self.significand, self.exponent, self.nan = significand, exponent, nan

    @property
    def value(self):
        return self.significand * Fraction(2) ** self.exponent


def ue8m0(rng, narrow):
    return Scale(Fraction(1), rng.randint(-3, 3) if narrow else rng.choice((rng.randint(-20, 20), rng.randint(-70, -55), rng.randint(-6, 6))))


def ue4m3(code):
    x = E4M3.decode(code)
    return Scale(Fraction(x.value) / Fraction(2) ** (x.exponent - UNIT), x.exponent)


def vector(rng, element, block, length, is_nvfp4, largest, narrow):
    """Elements (Numbers) and scales of a row of operands."""
    layout = FORMATS[element]
    elements, scales = [], []
    for start in range(0, length, block):
        if is_nvfp4:
            scales.append(ue4m3(0x7e if largest and start == 0 else rng.choice((rng.randint(1, 7), rng.randint(1, 0x7e), rng.randint(0x30, 0x40)))))
        else:
            scales.append(ue8m0(rng, narrow))
        zeros = rng.random() < 0.2
        codes = []
        for _ in range(block):
            while True:
                code = rng.getrandbits(layout.bits)
                if layout.decode(code).finite:
                    break
            codes.append(0 if zeros or rng.random() < 0.1 else code)
        if rng.random() < 0.3:  # the second half takes the first's magnitudes, so that sums can cancel
            codes[block // 2:] = codes[:block // 2]
        top = {'e2m1': 7, 'e3m2': 0x1f, 'e2m3': 0x1f, 'ocp_e4m3': 0x7e, 'ocp_e5m2': 0x7b}[element]
        codes[rng.randrange(block)] = top | rng.getrandbits(1) << (layout.bits - 1)
        elements += [layout.decode(c) for c in codes]
    return elements, scales


def st_fdpa(a, b, c_code):
    """One issue; a, b: lists of (element, scale)."""
    c = FP32.decode(c_code)
    pairs = [(x, y) for (x, _), (y, _) in zip(a, b)]
    code = special(pairs, c, FP32)
    if code is not None:
        return code
    addends = []
    for (x, sx), (y, sy) in zip(a, b):
        shift = sx.exponent + sy.exponent
        value = product_value(x, y)
        value = value << shift if shift >= 0 else value >> -shift  # exact: value is a multiple of 2^-40, far above 2^UNIT
        addends.append((value, x.exponent + y.exponent + shift if value else -133))
    addends.append((c.value, c.exponent if c.value else -133))
    return finish(truncated_fused_sum(addends, 25)[0], pairs, c, FP32, 'rz')


def gst_fdpa(a, b, c_code):
    c = FP32.decode(c_code)
    pairs = [(x, y) for (x, _), (y, _) in zip(a, b)]
    code = special(pairs, c, FP32)
    if code is not None:
        return code
    addends = []
    for start in range(0, len(a), 16):
        products = [product_value(x, y) for (x, _), (y, _) in zip(a[start:start + 16], b[start:start + 16])]
        sx, sy = a[start][1], b[start][1]
        exponent = sx.exponent + sy.exponent
        total = Fraction(sum(products)) * sx.significand * sy.significand * Fraction(2) ** exponent
        assert total.denominator == 1
        is_zero = not (any(products) and sx.significand and sy.significand)
        addends.append((int(total), -139 if is_zero else exponent))
    addends.append((c.value, c.exponent if c.value else -139))
    return finish(truncated_fused_sum(addends, 35)[0], pairs, c, FP32, 'rz')


def numbers(rows, block):
    """The operands as a trace holds them."""
    return np.array([[float(Fraction(e.value) * Fraction(2) ** UNIT * scales[i // block].value) for i, e in enumerate(elements)]
                     for elements, scales in rows])


def directed(accsim):
    """arXiv 2511.10909, equation 10: the exact sum is -0.875, 25 bits below 2^23 leave -0.75."""
    operands = [np.array([[-2.0**13, -0.5, -0.25, -0.125]]), np.array([[2.0**10, 1, 1, 1]])]
    with tempfile.TemporaryDirectory() as folder:
        code = int(run(accsim, folder, ('mxfp8_e5m2', 'blackwell_mxfp8'), operands, [0x4b000000])[0, 0])
    print('equation 10 on MXFP8: %08x' % code)
    return code == 0xbf400000


def make_cancelling(rng, unit, row, negate):
    """Issues of 64 whose first two groups cancel, if `negate` in one operand, and whose others have scales far below."""
    elements, scales = row
    layout, block = FORMATS[unit[2]], unit[3]
    for issue in range(0, len(elements), 64):
        half = elements[issue:issue + 16]
        top = layout.decode(7)
        half[rng.randrange(16)] = top
        elements[issue:issue + 16] = half
        elements[issue + 16:issue + 32] = [layout.decode(x.code ^ (8 if negate else 0)) for x in half]
        first, blocks = issue // block, 64 // block
        for i in range(blocks):
            high = i < blocks // 2
            if unit[0] == 'nvfp4':
                scales[first + i] = ue4m3((0x7e if high else rng.randint(1, 9)))
            else:
                scales[first + i] = Scale(Fraction(1), 5 if high else 5 - rng.randint(13, 22))


def layer(rng, unit, rows):
    """Operands of a layer with K two issues long: values, and the parts they are made of. Where sums are made in groups, half of the rows
    have groups that cancel."""
    form, _, element, block, terms = unit
    narrow = rng.random() < 0.5
    operands = [[vector(rng, element, block, 2 * terms, form == 'nvfp4', r == 0, narrow) for r in range(rows)] for _ in range(2)]
    if terms == 64:
        for side, negate in zip(operands, (True, False)):
            for row in side[1::2]:
                make_cancelling(rng, unit, row, negate)
    return operands


def run(accsim, folder, unit, operands, bias):
    trace, out = os.path.join(folder, 'trace.h5'), os.path.join(folder, 'out.h5')
    with h5py.File(trace, 'w') as file:
        group = file.create_group('fc')
        group.attrs['op'] = 'linear'
        group['input'], group['weight'] = operands
        group['bias'] = np.array([float(Fraction(FP32.decode(c).value) * Fraction(2) ** UNIT) for c in bias])
    command = [accsim, 'run', '--acc', unit[1], '--in', unit[0], '--trace', trace, '--out', out, '--save', 'output', '--bias-in-accumulator',
               '--quiet']
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(' '.join(command) + '\n' + done.stdout)
    with h5py.File(out) as file:
        return np.array(file['fc/output_code'])


E8M0_NAN = 0xff


def scale(form, code):
    """The scale that a code of the block format stands for; NVFP4's has no sign."""
    if form != 'nvfp4':
        return Scale(Fraction(1), code - 127, code == E8M0_NAN)
    x = E4M3.decode(code & 0x7f)
    return Scale(Fraction(x.value) / Fraction(2) ** (x.exponent - UNIT), x.exponent, x.nan)


def scale_code(rng, form, kind):
    """Ordinary scales for most rows; else all codes, the ends of the range and NaN."""
    if form == 'nvfp4':
        return rng.choice((0, 1, 7, 8, 0x7e, 0xb8, 0x7f)) if kind == 'special' else rng.randint(1, 0x7e) if kind == 'wide' else rng.randint(0x30, 0x40)
    return rng.choice((0, 1, 126, 127, 128, 253, 254, 255)) if kind == 'special' else rng.randint(0, 254) if kind == 'wide' else rng.randint(120, 134)


def element_code(rng, layout, kind):
    while True:
        code = rng.getrandbits(layout.bits)
        x = layout.decode(code)
        if x.finite or (kind == 'special' and rng.random() < 0.02):
            return 0 if rng.random() < 0.1 else code


def scaled_number(layout, code, s):
    """The element, NaN where its block is."""
    x = layout.decode(code)
    if s.nan:
        x.nan, x.infinite, x.value = True, False, 0
    return x


# datapath, (format of a, its element, its block), the same of b, products of an issue; a block of 0: no block format
ROWS = [('blackwell_mxfp8', ('mxfp8_e4m3', 'ocp_e4m3', 32), ('mxfp8_e4m3', 'ocp_e4m3', 32), 32),
        ('blackwell_mxfp8', ('mxfp8_e5m2', 'ocp_e5m2', 32), ('mxfp8_e5m2', 'ocp_e5m2', 32), 32),
        ('blackwell_mxfp8', ('mxfp8_e4m3', 'ocp_e4m3', 32), ('mxfp4', 'e2m1', 32), 32),
        ('blackwell_mxfp8', ('mxfp6_e2m3', 'e2m3', 32), ('mxfp8_e5m2', 'ocp_e5m2', 32), 32),
        ('blackwell_mxfp6', ('mxfp6_e3m2', 'e3m2', 32), ('mxfp6_e3m2', 'e3m2', 32), 32),
        ('blackwell_mxfp4_k32', ('mxfp4', 'e2m1', 32), ('mxfp4', 'e2m1', 32), 32),
        ('blackwell_mxfp4', ('mxfp4', 'e2m1', 32), ('mxfp4', 'e2m1', 32), 64),
        ('blackwell_mxfp4', ('mxfp4:block=16', 'e2m1', 16), ('mxfp4:block=16', 'e2m1', 16), 64),
        ('blackwell_nvfp4', ('nvfp4', 'e2m1', 16), ('nvfp4', 'e2m1', 16), 64),
        ('blackwell_mxfp8', ('mxfp8_e4m3', 'ocp_e4m3', 32), ('ocp_e4m3', 'ocp_e4m3', 0), 32)]


def drawn_row(rng, sides, terms, kind, length):
    """Codes of elements and scales of both sides, C, and the model's result over issues of `terms`."""
    codes, scales, numbers_of = [], [], []
    for form, element, block in sides:
        layout = FORMATS[element]
        codes.append([element_code(rng, layout, kind) for _ in range(length)])
        if kind == 'cancelling' and len(codes) == 2:  # the second half of a block negates what the first gives
            for i in range(length):
                if i % 32 >= 16 and rng.random() < 0.9:
                    codes[0][i], codes[1][i] = codes[0][i - 16], codes[1][i - 16] ^ 1 << (layout.bits - 1)
        scales.append([scale_code(rng, form, kind) for _ in range(0, length, block)] if block else [])
    for (form, element, block), side, factors in zip(sides, codes, scales):
        each = [scale(form, factors[i // block]) if block else Scale(Fraction(1), 0) for i in range(length)]
        numbers_of.append([(scaled_number(FORMATS[element], x, s), s) for x, s in zip(side, each)])
    c = start = rng.choice((0, 0x80000000, rng.getrandbits(32), (rng.randint(100, 160) << 23) | rng.getrandbits(23)))
    step = gst_fdpa if terms == 64 else st_fdpa
    for first in range(0, length, terms):
        c = step(numbers_of[0][first:first + terms], numbers_of[1][first:first + terms], c)
    return codes, scales, start, c


def write_rows(path, sides, terms, rows):
    """Columns for two issues; of short rows the last cells are empty."""
    names, widths = [], []
    for name, (_, element, _) in zip('ab', sides):
        names += ['%s%d' % (name, i) for i in range(2 * terms)]
        widths.append((FORMATS[element].bits + 3) // 4)
    for name, (_, _, block) in zip('ab', sides):
        names += ['%s_scale%d' % (name, i) for i in range(2 * terms // block)] if block else []
    with open(path, 'w', encoding='utf-8') as file:
        file.write(','.join(names + ['acc_in', 'acc_out']) + '\n')
        for codes, scales, start, result in rows:
            cells = []
            for side, width in zip(codes, widths):
                cells += ['%0*x' % (width, x) for x in side] + [''] * (2 * terms - len(side))
            for factors, (_, _, block) in zip(scales, sides):
                cells += ['%02x' % x for x in factors] + [''] * (2 * terms // block - len(factors)) if block else []
            file.write(','.join(cells + ['%08x' % start, '%08x' % result]) + '\n')


def check_rows(accsim, seed, count):
    """Rows of any codes through `accsim check`: all match, and tell scales that are left out."""
    good = bad = 0
    for datapath, *sides, terms in ROWS:
        rng = random.Random('%d %s %s' % (seed, datapath, sides))
        kinds = ('ordinary', 'wide', 'special', 'cancelling')
        rows = [drawn_row(rng, sides, terms, kinds[i % 4], rng.choice((terms, 2 * terms, terms, 32, 2 * terms))) for i in range(count)]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'rows.csv')
            command = [accsim, 'check', '--acc', datapath, '--in-a', sides[0][0], '--in-b', sides[1][0], '--vectors', path, '--limit', '2']
            write_rows(path, sides, terms, rows)
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            write_rows(path, sides, terms, [(codes, [[0x7f if form != 'nvfp4' else 0x38] * len(f) for f, (form, _, _) in zip(scales, sides)], c, d)
                                            for codes, scales, c, d in rows])
            without = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        ok = done.stdout.splitlines()[-1:] == ['%d of %d rows match' % (count, count)] and without.returncode == 1
        good, bad = good + ok, bad + (not ok)
        print('%s, %s by %s: %s' % (datapath, sides[0][0], sides[1][0], done.stdout[-1500:].strip() if not ok else done.stdout.strip()))
    return good, bad


def round_trip(accsim):
    """What `accsim vectors` writes for a block format is what `check` takes, and what the models compute."""
    good = bad = 0
    for datapath, form, element, block, terms in (('blackwell_mxfp8', 'mxfp8_e4m3', 'ocp_e4m3', 32, 32), ('blackwell_nvfp4', 'nvfp4', 'e2m1', 16, 64),
                                                  ('blackwell_mxfp4', 'mxfp4', 'e2m1', 32, 64)):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'rows.csv')
            subprocess.run([accsim, 'vectors', '--acc', datapath, '--count', '240', '--seed', '3', '--output', path], check=True)
            checked = subprocess.run([accsim, 'check', '--acc', datapath, '--vectors', path, '--compare', 'acc_out,flags'], stdout=subprocess.PIPE,
                                     text=True, check=False).stdout
            with open(path, encoding='utf-8') as file:
                rows = list(csv.DictReader(line for line in file if not line.startswith('#')))
        wrong = 0
        layout = FORMATS[element]
        for row in rows:
            sides = []
            for name in 'ab':
                one = name + '_scale' + ('' if terms == block else '%d')
                each = [scale(form, int(row[one % (i // block) if '%' in one else one], 16)) for i in range(terms)]
                sides.append([(scaled_number(layout, int(row['%s%d' % (name, i)], 16), each[i]), each[i]) for i in range(terms)])
            model = (gst_fdpa if terms == 64 else st_fdpa)(*sides, int(row['acc_in'], 16))
            wrong += model != int(row['acc_out'], 16)
        ok = wrong == 0 and len(rows) == 240 and checked == '240 of 240 rows match\n'
        good, bad = good + ok, bad + (not ok)
        print('accsim vectors --acc %s: %d of %d rows are not the model\'s; check: %s' % (datapath, wrong, len(rows), checked.strip()[-300:]))
    return good, bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('accsim')
    parser.add_argument('--rows', type=int, default=12)
    parser.add_argument('--seed', type=int, default=20260102)
    o = parser.parse_args()
    print('seed %d' % o.seed)
    passed = int(directed(o.accsim))
    failed = 1 - passed
    for unit in UNITS:
        rng = random.Random('%d %s' % (o.seed, unit))
        operands = layer(rng, unit, o.rows)
        # C is zero, ordinary, or small enough to be cut.
        bias = [rng.choice((0, 0x3f800000, rng.getrandbits(32) & 0xbfffffff, (rng.randint(100, 160) << 23) | rng.getrandbits(23)))
                for _ in range(o.rows)]
        bias = [c if FP32.decode(c).finite else 0 for c in bias]
        step = gst_fdpa if unit[4] == 64 else st_fdpa
        with tempfile.TemporaryDirectory() as folder:
            codes = run(o.accsim, folder, unit, [numbers(rows, unit[3]) for rows in operands], bias)
        wrong = 0
        for i, (a, a_scales) in enumerate(operands[0]):
            for j, (b, b_scales) in enumerate(operands[1]):
                c = bias[j]
                for first in range(0, len(a), unit[4]):
                    c = step([(a[k], a_scales[k // unit[3]]) for k in range(first, first + unit[4])],
                             [(b[k], b_scales[k // unit[3]]) for k in range(first, first + unit[4])], c)
                wrong += int(codes[i, j]) != c
        passed, failed = passed + (wrong == 0), failed + (wrong != 0)
        print('%s as %s: %d of %d outputs differ' % (unit[1], unit[0], wrong, codes.size))
    for good, bad in (check_rows(o.accsim, o.seed, 10 * o.rows), round_trip(o.accsim)):
        passed, failed = passed + good, failed + bad
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
