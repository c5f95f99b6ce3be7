"""Every built-in matrix unit against its published model (matrix_units.py) through `accsim check`, over random and adversarial issues.

  test_units.py ACCSIM [--rows N] [--seed S] [--unit NAME]

Each unit gets rows of every class below: one full issue and two chained ones, with C = 0 and without. The seed is printed.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile

from matrix_units import FORMATS, UNITS


def finite_code(rng, layout, low=0.0, high=1.0):
    """A random code whose exponent field lies in this part of the range, low to high."""
    while True:
        top = layout.top if layout.specials == 'ieee' else layout.top + 1
        field = rng.randint(int(low * (top - 1)), max(int(low * (top - 1)), int(high * (top - 1))))
        code = rng.getrandbits(1) << (layout.bits - 1) | field << layout.fraction_bits | rng.getrandbits(layout.fraction_bits)
        if layout.decode(code).finite:
            return code


def subnormal(rng, layout):
    return rng.getrandbits(1) << (layout.bits - 1) | rng.getrandbits(layout.fraction_bits)


def special_code(rng, layout):
    sign = rng.getrandbits(1) << (layout.bits - 1)
    choices = [sign, finite_code(rng, layout, 0.9)]
    if layout.specials != 'none':
        choices.append(layout.nan_code)
    if layout.specials == 'ieee':
        choices += [sign | layout.infinity] * 3
    return rng.choice(choices)


def minus_zero_free(code, layout):
    """The -0 code of formats without -0 is their NaN."""
    return 0 if layout.specials == 'fnuz' and code == layout.nan_code else code


def operand(rng, layout, kind):
    if kind == 'zeros' and rng.random() < 0.7:
        return minus_zero_free(rng.getrandbits(1) << (layout.bits - 1), layout)
    if kind in ('tiny', 'zeros') or (kind == 'subnormal' and rng.random() < 0.7):
        return minus_zero_free(subnormal(rng, layout), layout) if rng.random() < 0.7 else finite_code(rng, layout, 0, 0.15)
    if kind == 'special' and rng.random() < 0.2:
        return special_code(rng, layout)
    if kind == 'wide':
        return finite_code(rng, layout)
    if kind == 'large':
        return finite_code(rng, layout, 0.8, 1)
    return finite_code(rng, layout, 0.4, 0.6)


def accumulator(rng, layout, kind):
    draw = rng.random()
    if kind == 'tie':
        return rng.getrandbits(1) << (layout.bits - 1) | (layout.bias + rng.randint(-3, min(12, layout.bias))) << layout.fraction_bits | rng.getrandbits(2)
    if draw < 0.25 or kind == 'zero_exponent':
        return rng.getrandbits(1) << (layout.bits - 1)
    if kind == 'special' and draw < 0.6:
        return special_code(rng, layout)
    if kind in ('tiny', 'subnormal', 'zeros') and draw < 0.7:
        return subnormal(rng, layout)
    return {'wide': lambda: finite_code(rng, layout), 'large': lambda: finite_code(rng, layout, 0.6, 1),
            'tiny': lambda: finite_code(rng, layout, 0, 0.2)}.get(kind, lambda: finite_code(rng, layout, 0.42, 0.58))()


KINDS = ('normal', 'wide', 'subnormal', 'tiny', 'zeros', 'special', 'cancelling', 'large', 'zero_exponent', 'tie')


def of_exponent(rng, layout, exponent):
    """A number of this exponent, below the smallest normal's a power of two; None where there is none."""
    sign = rng.getrandbits(1) << (layout.bits - 1)
    if exponent < layout.emin:
        place = exponent - layout.emin + layout.fraction_bits
        return sign | 1 << place if place >= 0 else None
    field = exponent + layout.bias
    return sign | field << layout.fraction_bits | rng.choice((0, 0, rng.getrandbits(layout.fraction_bits))) if field < layout.top else None


def product_of_exponent(rng, a_layout, b_layout, exponent):
    """Codes whose product has this exponent, or zeros."""
    for _ in range(20):
        first = rng.randint(exponent // 2 - 6, exponent // 2 + 6)
        a, b = of_exponent(rng, a_layout, first), of_exponent(rng, b_layout, exponent - first)
        if a is not None and b is not None:
            return a, b
    return 0, 0


def issue_near_zero(rng, a_layout, b_layout, result, terms):
    """Products about the result's smallest number, and below it as deep as an alignment by the exponent of zeros cuts; zeros."""
    least = result.emin - result.fraction_bits
    codes = [(0, 0)] * terms
    codes[rng.randrange(terms)] = product_of_exponent(rng, a_layout, b_layout, least)
    for _ in range(rng.randint(1, 2)):
        codes[rng.randrange(terms)] = product_of_exponent(rng, a_layout, b_layout, least - rng.randint(1, 24))
    return [a for a, _ in codes], [b for _, b in codes]


def issue_near_a_tie(rng, a_layout, b_layout, result, c, terms):
    """Products that bring C half way to its neighbour, and one as far below as any unit still sees."""
    exponent = result.decode(c).exponent
    codes = [(0, 0)] * terms
    below = [result.fraction_bits + 1, rng.randint(result.fraction_bits + 2, result.fraction_bits + 13)]
    for place, depth in zip(rng.sample(range(terms), min(2, terms)), below):
        codes[place] = product_of_exponent(rng, a_layout, b_layout, exponent - depth)
    return [a for a, _ in codes], [b for _, b in codes]


def issue(rng, a_layout, b_layout, kind, terms):
    a = [operand(rng, a_layout, kind) for _ in range(terms)]
    b = [operand(rng, b_layout, kind) for _ in range(terms)]
    if kind == 'cancelling':  # pairs that cancel at different magnitudes, in any places
        places = list(range(terms))
        rng.shuffle(places)
        for i, j in zip(places[::2], places[1::2]):
            a[i], b[i] = finite_code(rng, a_layout), finite_code(rng, b_layout)
            a[j], b[j] = a[i] ^ (1 << (a_layout.bits - 1)), b[i]
            if rng.random() < 0.3:
                b[j] = operand(rng, b_layout, 'wide')
        a = [minus_zero_free(x, a_layout) for x in a]
    return a, b


def rows_of(unit, form, rng, count):
    """(a codes, b codes, C, the model's result)."""
    a_layout, b_layout = (FORMATS[f] for f in form)
    for n in range(count):
        kind = KINDS[n % len(KINDS)]
        start = c = minus_zero_free(accumulator(rng, unit.result, kind), unit.result)
        all_a, all_b = [], []
        for _ in range(1 + (n // len(KINDS)) % 2):
            if kind == 'zero_exponent':
                a, b = issue_near_zero(rng, a_layout, b_layout, unit.result, unit.terms)
            elif kind == 'tie':
                a, b = issue_near_a_tie(rng, a_layout, b_layout, unit.result, c, unit.terms)
            else:
                a, b = issue(rng, a_layout, b_layout, kind, unit.terms)
            c = unit.step([a_layout.decode(x) for x in a], [b_layout.decode(x) for x in b], c)
            all_a, all_b = all_a + a, all_b + b
        yield all_a, all_b, start, c


def write(path, unit, form, rows):
    columns = 2 * unit.terms
    digits = [(FORMATS[f].bits + 3) // 4 for f in form] + [(unit.result.bits + 3) // 4]
    with open(path, 'w', encoding='utf-8') as f:
        f.write(','.join(['a%d' % i for i in range(columns)] + ['b%d' % i for i in range(columns)] + ['acc_in', 'acc_out']) + '\n')
        for a, b, c, d in rows:
            cells = []
            for codes, width in ((a, digits[0]), (b, digits[1])):
                cells += ['%0*x' % (width, x) for x in codes] + [''] * (columns - len(codes))
            f.write(','.join(cells + ['%0*x' % (digits[2], c), '%0*x' % (digits[2], d)]) + '\n')


def rows_that_match(accsim, name, form, path, *options):
    command = [accsim, 'check', '--acc', name, '--vectors', path, '--in-a', form[0], '--in-b', form[1], '--limit', '3', *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.splitlines()[-1:], done


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('accsim')
    parser.add_argument('--rows', type=int, default=120)
    parser.add_argument('--seed', type=int, default=20260101)
    parser.add_argument('--unit', default='')
    o = parser.parse_args()
    print('seed %d, %d rows a unit and operand pair' % (o.seed, o.rows))
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, unit in UNITS.items():
            if o.unit not in ('', name):
                continue
            for form in unit.forms:
                rng = random.Random('%d %s %s %s' % (o.seed, name, *form))
                path = os.path.join(scratch, 'vectors.csv')
                write(path, unit, form, rows_of(unit, form, rng, o.rows))
                last, done = rows_that_match(o.accsim, name, form, path)
                all_rows = ['%d of %d rows match' % (o.rows, o.rows)]
                ok = done.returncode == 0 and last == all_rows
                # The rows must tell another unit: half the terms, or another rounding where there is one term.
                wrong = 'terms=%d' % (unit.terms // (4 if 'mma' in name else 2)) if unit.terms > 1 else 'rounding=rz'
                told, _ = rows_that_match(o.accsim, name, form, path, '--set', 'reduction.0.' + wrong)
                ok = ok and told != all_rows and told[0].endswith('rows match')
                passed, failed = passed + ok, failed + (not ok)
                if not ok:
                    print('FAILED %s %s: %s' % (name, form, done.stdout[-3000:]))
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
