"""Compares `accsim quantize` with the oracle's formats: codes and values under every rounding and overflow.

  check_quantize.py ACCSIM [--seed N] [FORMAT...]

Inputs are written out exactly in decimal: every value of the format or some of them, the ties and the nearest doubles
beside them, values beyond the largest and below the least, zeros, infinities and NaN. Stochastic roundings are left to
check_layers.py. The last line is `N passed, M failed`; the exit status is 1 if anything differs.
"""
import argparse
import random
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy

from formats import Rounding, decode, encode, is_special, parse_format, round_number
from trace import from_float, to_float

FORMATS = ['fp16', 'bf16', 'tf32', 'fp32', 'e4m3', 'e5m2', 'e3m2', 'e2m3', 'e2m1', 'e3m4', 'e4m3:specials=ieee', 'e4m3fnuz',
           'e5m2fnuz', 'e4m3b11fnuz', 'lba_fp12', 'sr_fp12', 'e4m7:bias=12,specials=none,subnormals=off', 'e4m3:bias=8',
           'e5m4:subnormals=off', 'e4m3:specials=fnuz,subnormals=off', 'e4m0:specials=none', 'E6M9', 'int8', 'uint8', 's8.4', 'u6.9',
           's10.-3', 'int4']


def interesting_values(fmt, rng):
    """Doubles around the values, ties and limits of the format, both signs, then the specials."""
    codes = range(1 << (fmt.bits - 1)) if fmt.bits <= 6 else sorted(
        {0, 1, 2, 3} | {(1 << (fmt.bits - 1)) - 1 - i for i in range(4)} | {rng.randrange(1 << (fmt.bits - 1)) for _ in range(60)} |
        ({(1 << fmt.y) + i for i in range(-2, 3)} | {max(0, fmt.max_code - i) for i in range(3)} if fmt.is_float else set()))
    finite = sorted(abs(v) for v in (decode(c, fmt) for c in codes) if not is_special(v))
    points = set(finite) | {(x + y) / 2 for x, y in zip(finite, finite[1:])}
    step = max(finite) - sorted(set(finite))[-2]
    points |= {max(finite) + step * f for f in (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), 1, 3)} | {max(finite) * 5}
    least = min(v for v in finite if v > 0)
    points |= {least * f for f in (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(9, 8), Fraction(1, 1024))}
    doubles = {to_float(p) for p in points}
    doubles |= {float(numpy.nextafter(d, direction)) for d in list(doubles) for direction in (0.0, numpy.inf)}
    doubles = sorted(d for d in doubles if 1e-290 < d < 1e290)
    return doubles + [-d for d in doubles] + [0.0, -0.0, float('inf'), float('-inf'), float('nan')]


def spelled(v):
    return repr(v) if v != v or v in (0, float('inf'), float('-inf')) else '%f' % v if v == int(v) and abs(v) < 1e15 else str(Decimal(v))


def same_value(expected, text):
    """The printed value reads back as the expected one; specials and -0 in the contract's spelling."""
    if is_special(expected):
        return text == expected
    return text not in ('nan', '-0') and float(text) == to_float(expected)


def check(accsim, name, rounding, overflow, values):
    """Number of rows that agree, and the complaints."""
    fmt = parse_format(name)
    command = [accsim, 'quantize', '-', '--to', name, '--rounding', rounding, '--overflow', overflow]
    done = subprocess.run(command, input='\n'.join(spelled(v) for v in values) + '\n', stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(values):
        return 0, ['%s: ends with %d and %d lines for %d values: %s' % (
            ' '.join(command), done.returncode, len(lines), len(values), done.stderr.strip()[-300:])]
    passed, problems = 0, []
    for v, line in zip(values, lines):
        expected = round_number(from_float(v), fmt, Rounding(rounding), overflow)[0]
        want = '%0*x' % ((fmt.bits + 3) // 4, encode(expected, fmt))
        code, _, text = line.partition(' ')
        if code == want and same_value(expected, text.strip()):
            passed += 1
        else:
            problems.append('%s %s %s of %r: expected %s %s, found %s' % (
                name, rounding, overflow, v, want, expected if is_special(expected) else to_float(expected), line))
    return passed, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('accsim')
    parser.add_argument('formats', nargs='*', default=FORMATS)
    parser.add_argument('--seed', type=int, default=1)
    settings = parser.parse_args()
    rng, passed, failed = random.Random(settings.seed), 0, 0
    for name in settings.formats:
        fmt = parse_format(name)
        overflows = ['ieee', 'saturate', 'nan'] if fmt.is_float else ['wrap', 'saturate', 'saturate_zero']
        if not fmt.is_float and fmt.signed:
            overflows.append('saturate_symmetric')  # refused for unsigned formats
        values = interesting_values(fmt, rng)
        before = passed, failed
        for rounding in ('rne', 'rna', 'rz', 'ru', 'rd', 'ro'):
            for overflow in overflows:
                good, problems = check(settings.accsim, name, rounding, overflow, values)
                passed, failed = passed + good, failed + len(problems)
                for problem in problems[:2]:
                    print('FAILED ' + problem, flush=True)
        print('%-45s %6d compared, %d differ' % (name, passed + failed - sum(before), failed - before[1]), flush=True)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
