"""kind = "ordered_sum" through `accsim check`, results and flags, against its registers in whole numbers (ordered_units.py), over random and adversarial rows.

  test_ordered_units.py ACCSIM [--rows N] [--seed S]

Then rows derived by hand, and a check that the rows tell a unit with another key.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile

from ordered_units import BF16, FP8, FP8ALT, FP16, FP32, Lfsr, Unit

NAMES = {FP8: 'e5m2', FP8ALT: 'e4m3:specials=ieee', FP16: 'fp16', BF16: 'bf16', FP32: 'fp32'}
MODES = ('rne', 'rz', 'rd', 'ru', 'rna', 'ro', 'sr')
LFSR = (16, 0x8679, 0xACE1)
RANDOM_BITS = 9

# The units of CVFPU: significands of 11 and 4 bits, of 24 and 11; then others that the description allows.
UNITS = {
    'e5m2 into fp16': Unit(FP8, FP16, 2, [24, 28], forget=11, foresees=True),
    'e4m3 into bf16': Unit(FP8ALT, BF16, 2, [24, 28], forget=11, foresees=True),
    'fp16 into fp32': Unit(FP16, FP32, 2, [50, 61], forget=24, foresees=True),
    'bf16 into fp32': Unit(BF16, FP32, 2, [50, 61], forget=24, foresees=True),
    'bf16 into fp32, signs of sums': Unit(BF16, FP32, 2, [50, 61]),
    'fp16 added': Unit(FP16, FP16, 2, [24, 28], integer_bits=1, forget=11),
    'four terms': Unit(FP8, FP16, 4, [14]),
    'three terms, one term finer': Unit(FP8ALT, FP16, 3, [12, 14, 30], forget=11),
    'no sticky bit': Unit(FP8, FP16, 2, [13, 15], sticky=False),
    'no sticky bit, cut down': Unit(FP8, FP16, 3, [9], sticky=False, align='rd'),
}


def toml(unit):
    level = ['kind = "ordered_sum"', 'terms = %d' % unit.terms, 'format = "%s"' % NAMES[unit.result],
             'fraction_bits = %s' % (unit.bits if len(unit.bits) > 1 else unit.bits[0]), 'product_integer_bits = %d' % unit.integer_bits,
             'sticky = %s' % str(unit.sticky).lower(), 'foresees_sign = %s' % str(unit.foresees).lower(), 'overflow = "ones_tail"',
             'rounding = "sr:bits=%d,kind=below,rng=lfsr:width=%d,mask=%d,seed=%d"' % (RANDOM_BITS, *LFSR)]
    level += ['forget_sticky_below = %d' % unit.forget] if unit.forget else []
    level += [] if unit.sticky else ['align = "%s"' % unit.align]
    return '\n'.join(['[operands]', 'a = "%s"' % NAMES[unit.operand], 'b = "%s"' % NAMES[unit.operand], '[[reduction]]', *level,
                      '[accumulator]', 'tininess = "delivered"', ''])


def code(rng, layout, field, special):
    fraction = rng.choice((0, (1 << layout.fraction_bits) - 1, 1 << rng.randrange(layout.fraction_bits), rng.getrandbits(layout.fraction_bits)))
    if rng.random() < special:
        return rng.choice((0, layout.infinity, layout.nan_code, layout.infinity | 1)) | rng.getrandbits(1) << (layout.bits - 1)
    field = min(max(field, 0), layout.top - 1)
    return rng.getrandbits(1) << (layout.bits - 1) | field << layout.fraction_bits | fraction


def rows_of(unit, rng, count):
    """(a, b, c, mode, subtract): exponents far apart, near one another, of products that cancel, at both ends of the range."""
    operand, result = unit.operand, unit.result
    minus = 1 << (operand.bits - 1)
    for n in range(count):
        kind = n % 6
        special = 0.06 if kind == 0 else 0
        low = rng.choice((0, 0, operand.bias, operand.top - 4))
        a = [code(rng, operand, rng.randrange(operand.top) if kind < 2 else low + rng.randrange(4), special) for _ in range(unit.terms)]
        b = [code(rng, operand, rng.randrange(operand.top), special) for _ in range(unit.terms)]
        field = lambda x: (x >> operand.fraction_bits) & operand.top
        top = field(a[0]) + field(b[0]) - 2 * operand.bias + result.bias
        if kind in (2, 3):                                     # the second product near the first
            for i in range(1, unit.terms):
                b[i] = code(rng, operand, field(a[0]) + field(b[0]) - field(a[i]) + rng.randint(-1, 1), 0)
        if kind in (3, 4):                                     # or all but its opposite
            a[1], b[1] = a[0] ^ minus, b[0] ^ rng.choice((0, 0, 1, 2))
        c = code(rng, result, rng.choice((top + rng.randint(-2, 2), top + rng.randint(0, 70), top - rng.randint(0, 70), 0)), special)
        if kind == 5 or rng.random() < 0.1:
            c &= 1 << (result.bits - 1)
        yield a, b, c, MODES[rng.randrange(len(MODES))], rng.random() < 0.25


def write(path, unit, rows):
    narrow, wide = (unit.operand.bits + 3) // 4, (unit.result.bits + 3) // 4
    lfsr = Lfsr(*LFSR)
    with open(path, 'w', encoding='utf-8') as f:
        names = ['%s%d' % (side, i) for side in 'ab' for i in range(unit.terms)]
        f.write(','.join(names + ['acc_in', 'acc_out', 'flags', 'rm', 'op']) + '\n')
        for a, b, c, mode, subtract in rows:
            r = lfsr.next(RANDOM_BITS) if mode == 'sr' else 0
            found, flags = unit.step(a, b, c, mode, subtract, (r, RANDOM_BITS))
            cells = ['%0*x' % (narrow, x) for x in a + b] + ['%0*x' % (wide, x) for x in (c, found)]
            f.write(','.join(cells + ['%02x' % flags, '' if mode == 'sr' else mode, 'sub' if subtract else 'add']) + '\n')


def check(accsim, path, datapath, *options):
    command = [accsim, 'check', '--acc', datapath, '--vectors', path, '--compare', 'acc_out,flags', '--limit', '3', *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


# By hand. Exponents are those of first bits: of a product one above the sum of its operands', of an accumulator that of its field.
# E5M2 into binary16, registers 24 and 28 bits below the first exponent. Columns a0, a1, b0, b1, C.
#  1. C = 2^15, products 2^-5 2^-5 and its opposite, exponents -9. The first ends below the register's last bit, 15 - 24 = -9, and leaves a sticky
#     bit; the second stands in the next, whose last bit is 15 - 28 = -13: 2^15 - 2^-10 and a sticky bit. rne 7800, rz one ulp less; inexact, though
#     the products cancel.
#  2. C = -65504, products -1.25 2^-7 2^-1 = -2^-8 - 2^-10 and 2^-8, exponents -7: the 2^-10 leaves a sticky bit, the 2^-8 cancels and leaves no bit
#     below 2^(15-11): the unit that forgets the sticky bit then calls -65504 exact, another does not.
#  3. C = +0 counts with exponent -14, so products of 2^-28 and -2^-30 stand whole: 3 2^-30, ru the smallest subnormal, inexact and tiny.
#  4. C = +0, 2^-13 2^-16 (exponent -13 - 14 + 1 = -26) - 1.75 2^-14 1.75 2^-14 (exponent -27, but 3.0625 2^-28): the sum is negative. rd gives the
#     smallest negative subnormal, but +0 where the unit foresees the sign of the product with the larger exponent.
#  5. 2^15 2^15 overflows. The generator's state 1ff gives r = 511, not below a discarded part of nine ones: the largest finite value; then the
#     state is ff xor 8679 = 8686, r = 86, and the infinity is delivered.
# bfloat16 into binary32, 50 and 61 bits:
#  6. 2^50 2^50 - 2^50 2^50 + 2^-140: after the exact cancellation C takes the sum's place and is delivered as it came.
FP8_UNIT, BF16_UNIT = UNITS['e5m2 into fp16'], UNITS['bf16 into fp32']
SUMS, KEEPS_STICKY = ('--set', 'reduction.0.foresees_sign=false'), Unit(FP8, FP16, 2, [24, 28])
SEEDED = ('--set', 'reduction.0.rounding=sr:bits=9,kind=below,rng=lfsr:width=16,mask=0x8679,seed=0x1ff')
BY_HAND = [
    (FP8_UNIT, (), '28,28,28,a8,7800,7800,01,rne,add', '28,28,28,a8,7800,77ff,01,rz,add'),
    (FP8_UNIT, (), 'a1,a0,38,b8,fbff,fbff,00,rne,add'),
    (KEEPS_STICKY, (), 'a1,a0,38,b8,fbff,fbff,01,rne,add'),
    (FP8_UNIT, (), '04,01,04,84,0000,0001,03,ru,add', '04,01,04,84,0000,0000,03,rne,add'),
    (FP8_UNIT, (), '08,07,01,87,0000,0000,03,rd,add'),
    (FP8_UNIT, SUMS, '08,07,01,87,0000,8001,03,rd,add'),
    (FP8_UNIT, SEEDED, '78,00,78,00,0000,7bff,05,,add', '78,00,78,00,0000,7c00,05,,add'),
    (BF16_UNIT, (), '5880,d880,5880,5880,00000200,00000200,00,rne,add'),
]


def by_hand(accsim, path, datapath):
    """How many of the derived rows are not what the unit gives."""
    failed = 0
    for unit, options, *rows in BY_HAND:
        with open(datapath, 'w', encoding='utf-8') as f:
            f.write(toml(unit))
        with open(path, 'w', encoding='utf-8') as f:
            f.write('\n'.join(['a0,a1,b0,b1,acc_in,acc_out,flags,rm,op', *rows, '']))
        status, text = check(accsim, path, datapath, *options)
        failed += status != 0
        if status != 0:
            print('FAILED by hand: %s' % text)
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('accsim')
    parser.add_argument('--rows', type=int, default=1500)
    parser.add_argument('--seed', type=int, default=20260101)
    o = parser.parse_args()
    print('seed %d, %d rows a unit' % (o.seed, o.rows))
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        path, datapath = os.path.join(scratch, 'vectors.csv'), os.path.join(scratch, 'unit.toml')
        for name, unit in UNITS.items():
            with open(datapath, 'w', encoding='utf-8') as f:
                f.write(toml(unit))
            write(path, unit, rows_of(unit, random.Random('%d %s' % (o.seed, name)), o.rows))
            status, text = check(o.accsim, path, datapath)
            told = [check(o.accsim, path, datapath, '--set', 'reduction.0.' + other)[0]
                    for other in ('fraction_bits=7', 'sticky=%s' % str(not unit.sticky).lower() if not unit.forget else 'fraction_bits=9')]
            if status != 0 or not text.endswith('%d of %d rows match\n' % (o.rows, o.rows)) or told != [1, 1]:
                failed += 1
                print('FAILED %s (other keys: %s): %s' % (name, told, text[-2500:]))
        failed += by_hand(o.accsim, path, datapath)
    print('%d units, %d rows by hand, %d failed' % (len(UNITS), len(BY_HAND), failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
