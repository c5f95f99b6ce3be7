"""Blackwell's units for MXFP8, MXFP6, MXFP4 and NVFP4 against their published models, through `accsim run` on layers made for it.

  test_block_units.py ACCSIM [--rows N] [--seed S]

Operands are elements times scales that the quantizer finds again: every block has an element of the largest binade (MX), or of the largest
value in a tensor whose largest magnitude is 448 * 6 (NVFP4). C enters as a bias.
"""
import argparse
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

    def __init__(self, significand, exponent):
        self.significand, self.exponent = significand, exponent

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
    addends = []
    for (x, sx), (y, sy) in zip(a, b):
        shift = sx.exponent + sy.exponent
        value = product_value(x, y)
        value = value << shift if shift >= 0 else value >> -shift  # exact: value is a multiple of 2^-40, far above 2^UNIT
        addends.append((value, x.exponent + y.exponent + shift if value else -133))
    addends.append((c.value, c.exponent if c.value else -133))
    pairs = [(x, y) for (x, _), (y, _) in zip(a, b)]
    return finish(truncated_fused_sum(addends, 25)[0], pairs, c, FP32, 'rz')


def gst_fdpa(a, b, c_code):
    c = FP32.decode(c_code)
    addends = []
    for start in range(0, len(a), 16):
        products = [product_value(x, y) for (x, _), (y, _) in zip(a[start:start + 16], b[start:start + 16])]
        sx, sy = a[start][1], b[start][1]
        exponent = sx.exponent + sy.exponent
        total = Fraction(sum(products)) * sx.significand * sy.significand * Fraction(2) ** exponent
        assert total.denominator == 1
        addends.append((int(total), exponent if any(products) else -139))
    addends.append((c.value, c.exponent if c.value else -139))
    pairs = [(x, y) for (x, _), (y, _) in zip(a, b)]
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
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
