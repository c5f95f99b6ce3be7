"""Directed cases of the matrix-unit datapaths through `accsim check`.

  test_directed.py ACCSIM

Expected values: arXiv 2511.10909, equation 10 (exact -0.875), and the last-bit cases that follow from the units' parameters by hand:
1 + 4 * 2^-24 keeps its low bits only where more than 23 fraction bits are aligned.
"""
import math
import os
import subprocess
import sys
import tempfile

LAYOUTS = {'fp64': (11, 52, 1023), 'fp32': (8, 23, 127), 'tf32': (8, 10, 127), 'bf16': (8, 7, 127), 'fp16': (5, 10, 15), 'e5m2': (5, 2, 15),
           'e5m2fnuz': (5, 2, 16)}


def code(fmt, value):
    """The code of a value that the format has; an infinity of 16 or 32 bits."""
    exponent_bits, fraction_bits, bias = LAYOUTS[fmt]
    sign = 1 if math.copysign(1, value) < 0 else 0
    if math.isinf(value):
        return '%x' % ((sign << exponent_bits | (1 << exponent_bits) - 1) << fraction_bits)
    mantissa, exponent = math.frexp(abs(value))
    exponent = max(exponent - 1, 1 - bias)
    steps = abs(value) / 2.0 ** (exponent - fraction_bits)
    assert steps == int(steps), '%s has no %r' % (fmt, value)
    field = int(steps) + (0 if value == 0 or mantissa == 0 else (exponent + bias - 1) << fraction_bits)
    width = 1 + exponent_bits + fraction_bits
    return '%0*x' % ((width + 3) // 4, sign << (width - 1) | field)


CASES = []


def case(unit, operands, result, a, b, c, expected, *options):
    CASES.append((unit, operands, result, a, b, c, expected, options))


EQ10 = ([-2.0**13, -0.5, -0.25, -0.125], [2.0**10, 1, 1, 1], 2.0**23)
for unit, operands, expected in (
        ('volta_fp16_fp32', 'fp16', 0.0), ('turing_fp16_fp32', 'fp16', -0.5), ('ampere_fp16_fp32', 'fp16', -0.5),
        ('ampere_bf16_fp32', 'bf16', -0.5), ('ampere_tf32_fp32', 'tf32', -0.5), ('ada_fp16_fp32', 'fp16', -0.5), ('ada_bf16_fp32', 'bf16', -0.5),
        ('ada_tf32_fp32', 'tf32', -0.5), ('hopper_fp16_fp32', 'fp16', -0.75), ('hopper_bf16_fp32', 'bf16', -0.75),
        ('hopper_tf32_fp32', 'tf32', -0.75), ('blackwell_fp16_fp32', 'fp16', -0.75), ('blackwell_bf16_fp32', 'bf16', -0.75),
        ('blackwell_tf32_fp32', 'tf32', -0.75), ('ada_fp8_fp32', 'e5m2', 0.0), ('hopper_fp8_fp32', 'e5m2', 0.0),
        ('blackwell_fp8_fp32', 'e5m2', -0.75), ('fp32', 'bf16', -0.875), ('cdna_fp32', 'fp32', -0.875), ('cdna1_fp16_fp32', 'fp16', -0.875),
        ('cdna1_bf16_fp32', 'bf16', -0.875), ('cdna1_fp16_fp32_pairwise', 'fp16', 0.0), ('cdna1_bf16_fp32_pairwise', 'bf16', -0.375),
        ('cdna2_fp16_fp32', 'fp16', 0.0), ('cdna2_bf16_1k_fp32', 'bf16', 0.0), ('cdna2_bf16_fp32', 'bf16', -0.375),
        ('cdna3_fp16_fp32', 'fp16', -0.5), ('cdna3_bf16_fp32', 'bf16', -0.5), ('cdna3_xf32_fp32', 'tf32', -0.5),
        ('cdna3_fp8_fp32', 'e5m2fnuz', -1.0), ('cdna3_fp16_fp32_2025', 'fp16', -0.5), ('cdna3_bf16_fp32_2025', 'bf16', -0.5),
        ('cdna3_xf32_fp32_2025', 'tf32', -0.5), ('cdna3_fp8_fp32_2025', 'e5m2fnuz', -1.0)):
    case(unit, operands, 'fp32', *EQ10, expected, '--in', operands)
for unit in ('nvidia_fp64', 'cdna_fp64'):
    case(unit, 'fp64', 'fp64', *EQ10, -0.875)

TINY = 2.0**-12
for unit, four, three in (('volta_fp16_fp32', 0x3f800000, 0x3f800000), ('ampere_fp16_fp32', 0x3f800002, 0x3f800000),
                          ('hopper_fp16_fp32', 0x3f800002, 0x3f800001)):
    for a, b, expected in (([TINY] * 4, [TINY] * 4, four), ([TINY, TINY, TINY], [TINY, TINY / 2, TINY / 2], three)):
        case(unit, 'fp16', 'fp32', a, b, 1.0, 1 + (expected - 0x3f800000) * 2.0**-23)

# Beyond the range a cut sum is an infinity (MMA-Sim c785138; MATLAB-tensor-core, Generic_BFMA_TC), below 2^128 it is cut to the largest number.
BIG, LARGEST = 2.0**64, 2.0**128 - 2.0**104
for unit in ('ampere_bf16_fp32', 'hopper_bf16_fp32', 'blackwell_bf16_fp32', 'ada_tf32_fp32'):
    operands = unit.split('_')[1]
    case(unit, operands, 'fp32', [BIG], [BIG / 2], 2.0**127, math.inf)
    case(unit, operands, 'fp32', [-BIG, -BIG], [BIG / 2, BIG / 2], 0.0, -math.inf)
    case(unit, operands, 'fp32', [BIG], [BIG / 2**25], LARGEST, LARGEST)
    case(unit, operands, 'fp32', [BIG], [BIG / 2**24], LARGEST, math.inf)
for unit in ('volta_fp16_fp16', 'ampere_fp16_fp16', 'hopper_fp16_fp16'):
    case(unit, 'fp16', 'fp16', [2.0**8, 16], [2.0**7, 1], 32736.0, math.inf)  # 65520, half way to 2^16
    case(unit, 'fp16', 'fp16', [2.0**8, 12], [2.0**7, 1], 32736.0, 65504.0)

# The exponent of a zero addend, by rows that it decides. Zeros keep the largest exponent from falling below e_zero, so what lies below
# e_zero - F is cut. Results cut to binary32: the smallest number less 2^-d is cut to 0 where 2^-d was seen, and stays where it was not.
LEAST = 2.0**-149
for arch, lsb in (('ampere', -132 - 24), ('ada', -132 - 24), ('hopper', -133 - 25), ('blackwell', -133 - 25)):
    for operands in ('bf16', 'tf32'):
        unit = '%s_%s_fp32' % (arch, operands)
        for seen, exponent in ((True, lsb), (False, lsb - 1)):
            case(unit, operands, 'fp32', [2.0**-74, -(2.0**-74), 0], [2.0**-75, 2.0**(exponent + 74), 1], 0.0, 0.0 if seen else LEAST)
            case(unit, operands, 'fp32', [-(2.0**-74), 2.0**-74], [2.0**-75, 2.0**(exponent + 74)], 0.0, -0.0 if seen else -LEAST)
# Results rounded to nearest in binary16: 2^-25 is a tie, to even 0, which 2^-d breaks where it is seen. Products go down to 2^-48, which for
# e_zero = -133 nothing cuts: there the largest exponent is that of 2^-25, -25, and 2^-50 is kept.
for unit, lsb in (('volta_fp16_fp16', -20 - 23), ('turing_fp16_fp16', -21 - 24), ('ampere_fp16_fp16', -21 - 24), ('ada_fp16_fp16', -21 - 24),
                  ('hopper_fp16_fp16_matlab', -21 - 25), ('hopper_fp16_fp16', -48), ('blackwell_fp16_fp16', -48)):
    for seen, exponent in ((True, lsb), (False, lsb - 1)):
        if exponent >= -48:
            case(unit, 'fp16', 'fp16', [2.0**-14, 2.0**(exponent + 24), 0], [2.0**-11, 2.0**-24, 1], 0.0, 2.0**-24 if seen else 0.0)
ZERO = ([2.0**-14, 2.0**-24, 0], [2.0**-11, 2.0**-24, 1], 0.0)
case('ampere_fp16_fp16', 'fp16', 'fp16', *ZERO, 0.0)
case('ampere_fp16_fp16', 'fp16', 'fp16', *ZERO, 2.0**-24, '--set', 'reduction.0.zero_exponent=-29')


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for unit, operands, result, a, b, c, expected, options in CASES:
            path = os.path.join(scratch, 'case.csv')
            names = ['a%d' % i for i in range(len(a))] + ['b%d' % i for i in range(len(b))] + ['acc_in', 'acc_out']
            cells = [code(operands, v) for v in a + b] + [code(result, c), code(result, expected)]
            with open(path, 'w', encoding='utf-8') as f:
                f.write(','.join(names) + '\n' + ','.join(cells) + '\n')
            if unit == 'fp32':  # one term a row is one issue; a wider row is several
                options = options + ('--rounding', 'rne')
            done = subprocess.run([sys.argv[1], 'check', '--acc', unit, '--vectors', path, *options], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            ok = done.returncode == 0
            passed, failed = passed + ok, failed + (not ok)
            if not ok:
                print('FAILED %s %s: %s' % (unit, ' '.join(options), done.stdout))
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
