"""Datapaths (contracts, section 3) evaluated one output at a time, exactly.

  load_datapath(toml_text)                 -> Datapath
  evaluate(datapath, a, b, terms, randoms) -> Result of one output: value, events, ranges, exact reference

Inside an output every finite number is a Python int counted in units of 2^-L, L fixed per output so that every exact
product and every value of every format is such an integer; -0, infinities and NaN are the strings of formats.py.
Level kinds: sequential, tree, interleaved (combined sequentially or by tree), exact without bounds.
"""
import tomllib
from fractions import Fraction
from itertools import accumulate

from formats import (INEXACT, INVALID, OVERFLOW, UNDERFLOW, Rounding, default_overflow, default_underflow, encode,
                     is_special, parse_format, round_number, round_ratio, round_special)
from philox import SITE_C, SITE_FIRST_LEVEL, SITE_OUTPUT, SITE_PRODUCT, random_bits
from trace import multiply

EVENTS = ('product_overflow', 'product_underflow', 'product_inexact', 'sum_overflow', 'sum_underflow', 'sum_inexact',
          'swamped', 'invalid')


class Unsupported(Exception):
    """The datapath uses something that the oracle does not model."""


class Conversion:
    """A format with the rounding, overflow and underflow of one place of a datapath."""

    def __init__(self, table, defaults=(), site=None):
        table = {**dict(defaults), **table}
        self.format = parse_format(table['format'])
        self.round_to = parse_format(table['round_to']) if table.get('round_to') else self.format
        self.rounding = Rounding(table.get('rounding') or 'rne')
        self.overflow = table.get('overflow') or default_overflow(self.round_to)
        self.underflow = table.get('underflow') or default_underflow(self.round_to)
        self.site = site
        if self.underflow == 'gradual' and default_underflow(self.round_to) == 'flush':
            raise Unsupported('gradual underflow in a format without subnormals')

    def generator(self, randoms):
        return randoms.generator(self.site, self.rounding) if self.rounding.is_random else None

    @property
    def has_codes(self):
        return not (self.round_to.is_float and self.underflow == 'none')


class Level(Conversion):
    KEYS = {'kind', 'terms', 'issues', 'format', 'round_to', 'rounding', 'overflow', 'underflow', 'fan_in', 'ways', 'combine',
            'with_accumulator', 'name', 'latency'}

    def __init__(self, table, index):
        super().__init__(table, site=SITE_FIRST_LEVEL + index)
        self.kind, self.terms, self.issues = table['kind'], table.get('terms') or None, table.get('issues') or None
        self.fan_in, self.ways, self.combine = table.get('fan_in', 2), table.get('ways'), table.get('combine', 'sequential')
        self.with_accumulator = table.get('with_accumulator', False)
        if set(table) - self.KEYS or self.kind not in ('sequential', 'tree', 'interleaved', 'exact'):
            raise Unsupported('level kind %s with keys %s' % (self.kind, sorted(set(table) - self.KEYS)))
        if self.kind == 'interleaved' and self.combine not in ('sequential', 'tree'):
            raise Unsupported('interleaved combine ' + self.combine)


class Datapath:
    def __init__(self, table):
        self.name = table.get('name', '')
        self.operand_table = table.get('operands', {})
        product = table.get('product', {})
        self.product = None if product.get('format', 'exact') == 'exact' else Conversion(product, site=SITE_PRODUCT)
        self.permute = product.get('permute') or None
        self.levels = [Level(level, i) for i, level in enumerate(table['reduction'])]
        accumulator = table.get('accumulator') or {}
        self.initial = accumulator.get('initial') or 'first'
        # C keeps all bits of the level's `format`, whatever the level rounds its sums to.
        entered_level = {**table['reduction'][0 if self.initial == 'first' else -1], 'round_to': None}
        self.c_entry = Conversion({k: v for k, v in accumulator.items() if v and k != 'initial'}, entered_level.items(), SITE_C)
        output = {k: v for k, v in (table.get('output') or {}).items() if v}
        self.shift, self.sticky_bits = output.get('shift', 0), output.pop('sticky_bits', None)
        if self.shift or output.get('format') or output.get('rounding'):
            self.output = Conversion({'format': table['reduction'][-1]['format'], **output}, site=SITE_OUTPUT)
        else:
            self.output = None
        self.last = self.output or (self.c_entry if self.initial == 'last' else self.levels[-1])


def load_datapath(text):
    return Datapath(tomllib.loads(text))


class Randoms:
    """Where the random numbers of one output come from."""

    def __init__(self, seed, layer, pass_, output):
        self.seed, self.layer, self.pass_, self.output = seed, layer, pass_, output

    def generator(self, site, rounding):
        return random_bits(rounding.rng, self.seed, self.layer, self.pass_, self.output, site, rounding.random_bits)


def exact_sum(numbers, negative_zero_when_cancelled):
    """The exact sum of ints and specials, and whether it made a NaN of operands that were none."""
    if len(numbers) == 2 and type(numbers[0]) is int and type(numbers[1]) is int and numbers[0] + numbers[1] != 0:
        return numbers[0] + numbers[1], False         # the usual case, first for speed
    if any(is_special(x) for x in numbers):
        if 'nan' in numbers:
            return 'nan', False
        if 'inf' in numbers or '-inf' in numbers:
            both = 'inf' in numbers and '-inf' in numbers
            return ('nan' if both else 'inf' if 'inf' in numbers else '-inf'), both
        if all(x == '-0' for x in numbers):
            return '-0', False
    total = sum(x for x in numbers if not is_special(x))
    if total == 0 and negative_zero_when_cancelled and any(x != 0 for x in numbers):
        return '-0', False                           # a -0 among zeros counts as x != 0 here
    return total, False


class Result:
    def __init__(self):
        self.events = dict.fromkeys(EVENTS, 0)
        self.max_abs_product = self.max_abs_partial = Fraction(0)
        self.value = self.reference = None           # numbers, before scales
        self.overflowed = self.outside_last_level = False
        self.prefix_low = self.prefix_high = Fraction(0)


class Output:
    """The evaluation of one output: numbers are ints in units of 2^-unit, or specials."""

    def __init__(self, datapath, unit, randoms):
        self.datapath, self.unit, self.one, self.randoms = datapath, unit, 1 << unit, randoms
        self.result = Result()
        self.largest_partial = 0

    def round(self, x, conversion, generator, prefix):
        """x rounded once; counts the events under the prefix `product` or `sum` (or none)."""
        r = generator.next() if generator else None
        c, fmt = conversion, conversion.round_to
        if type(x) is int:
            if x == 0:
                return 0
            special, k, q, events = round_ratio(x < 0, abs(x), self.one, fmt, c.rounding, c.overflow, c.underflow, r)
            if x < 0 and fmt.is_float:
                k = -k
        else:
            special, k, q, events = round_special(x, fmt, c.rounding, c.overflow)
        if prefix and events:
            counts = self.result.events
            counts[prefix + '_overflow'] += events & OVERFLOW != 0
            counts[prefix + '_underflow'] += events & UNDERFLOW != 0
            counts[prefix + '_inexact'] += events & INEXACT != 0
            counts['invalid'] += events & INVALID != 0
            self.result.overflowed |= events & OVERFLOW != 0
        if special:
            return special
        shift = q + self.unit
        return k << shift if shift >= 0 else k >> -shift

    def add(self, numbers, level, generator):
        total, invalid = exact_sum(numbers, level.rounding.mode == 'rd')
        if type(total) is int:
            self.largest_partial = max(self.largest_partial, abs(total))
        y = self.round(total, level, generator, 'sum')
        if invalid and y == 'nan':                   # where the format lost the NaN, `round` has counted it
            self.result.events['invalid'] += 1
        return y

    def add_term(self, accumulator, x, level, generator):
        y = self.add([accumulator, x], level, generator)
        if type(accumulator) is int and type(x) is int and accumulator != 0 and x != 0 and y == accumulator:
            self.result.events['swamped'] += 1
        return y

    def tree(self, numbers, level, generator):
        if len(numbers) == 1:
            return self.add(numbers, level, generator)
        while len(numbers) > 1:
            groups = [numbers[i:i + level.fan_in] for i in range(0, len(numbers), level.fan_in)]
            numbers = [g[0] if len(g) == 1 else self.add(g, level, generator) for g in groups]
        return numbers[0]

    def interleaved(self, numbers, level, generator):
        partials = [0] * level.ways
        for i, x in enumerate(numbers):
            partials[i % level.ways] = self.add_term(partials[i % level.ways], x, level, generator)
        if level.combine == 'tree':
            return self.tree(partials, level, generator)
        total = 0
        for x in partials:
            total = self.add_term(total, x, level, generator)
        return total

    def reduce(self, level, is_last, addends, initial):
        """The results that the level hands up; `initial` is where its first accumulator starts."""
        generator = level.generator(self.randoms)
        if level.kind == 'exact' and level.with_accumulator:
            return self.exact_with_accumulator(level, is_last, addends, initial, generator)
        size = len(addends) if is_last or not level.terms else level.terms
        handed_up = []
        for start in range(0, len(addends), size or 1):
            chunk = addends[start:start + size]
            if level.kind == 'sequential':
                accumulator = initial
                for x in chunk:
                    accumulator = self.add_term(accumulator, x, level, generator)
                handed_up.append(accumulator)
            elif initial != 0:
                raise Unsupported('C at the start of a level without an accumulator')
            elif level.kind == 'tree':
                handed_up.append(self.tree(chunk, level, generator))
            elif level.kind == 'interleaved':
                handed_up.append(self.interleaved(chunk, level, generator))
            else:
                handed_up.append(self.add(chunk, level, generator))
            initial = 0
        return handed_up or [initial]

    def exact_with_accumulator(self, level, is_last, addends, initial, generator):
        size = level.terms or len(addends) or 1
        issues = [addends[i:i + size] for i in range(0, len(addends), size)]
        per_result = len(issues) if is_last or not level.issues else level.issues
        handed_up = []
        for start in range(0, len(issues), per_result or 1):
            accumulator = initial
            for issue in issues[start:start + per_result]:
                accumulator = self.add([accumulator] + issue, level, generator)
            handed_up.append(accumulator)
            initial = 0
        return handed_up or [initial]


def finite_unit(conversion):
    """The least L for which every value of the conversion's format that clamping can produce is an int * 2^-L."""
    fmt = conversion.round_to
    return max(0, -fmt.max_q if fmt.is_float else fmt.f)


def to_number(x, unit):
    return x if is_special(x) else Fraction(x, 1 << unit)


def evaluate(datapath, a, b, terms, randoms, c=None):
    """One output. `terms` are index pairs into the operands a and b; c, in units of the result, enters if given."""
    pairs = list(zip(a.row([i for i, _ in terms]), b.row([j for _, j in terms])))
    if datapath.permute:
        pairs = permuted(pairs, datapath.permute)
    products, unit, invalid_products = [], 0, 0
    for x, y in pairs:
        if type(x) is tuple and type(y) is tuple and x[0] and y[0]:
            p = (x[0] * y[0], x[1] + y[1])
            unit = max(unit, p[1])
        else:
            p = multiply(x if is_special(x) else x[0], y if is_special(y) else y[0])
            p = p if is_special(p) else (0, 0)      # of zeros and specials: a zero or a special
            invalid_products += p == 'nan' and x != 'nan' and y != 'nan'
        products.append(p)
    conversions = datapath.levels + ([datapath.product] if datapath.product else []) + [datapath.c_entry]
    c_generator = None
    if c is None and datapath.initial == 'last':
        c = Fraction(0)                              # where there is no C, zero is added at the end
    if c is not None:
        entry = datapath.c_entry
        c_generator = entry.generator(randoms)
        c = round_number(c, entry.round_to, entry.rounding, entry.overflow, entry.underflow,
                         c_generator.next() if c_generator else None)[0]
        unit = max(unit, 0 if is_special(c) else c.denominator.bit_length() - 1)
    unit = max([unit] + [finite_unit(conversion) for conversion in conversions])

    output = Output(datapath, unit, randoms)
    result = output.result
    exact = [p if is_special(p) else p[0] << (unit - p[1]) for p in products]
    c = c if c is None or is_special(c) else int(c * output.one)
    result.max_abs_product = Fraction(max((abs(p) for p in exact if type(p) is int), default=0), output.one)
    result.events['invalid'] += invalid_products
    reference, _ = exact_sum(exact, False)
    result.reference = to_number(reference, unit)
    prefixes = list(accumulate(p for p in exact if type(p) is int))
    result.prefix_low = Fraction(min(prefixes, default=0), output.one)
    result.prefix_high = Fraction(max(prefixes, default=0), output.one)

    numbers = exact
    if datapath.product:
        generator = datapath.product.generator(randoms)
        numbers = [output.round(p, datapath.product, generator, 'product') for p in exact]
        if not datapath.product.round_to.has_nan:    # a NaN made here and lost here counts once
            result.events['invalid'] -= invalid_products
    for i, level in enumerate(datapath.levels):
        initial = c if c is not None and i == 0 and datapath.initial == 'first' else 0
        numbers = output.reduce(level, i == len(datapath.levels) - 1, numbers, initial)
    value = numbers[0]
    if c is not None and datapath.initial == 'last':
        total, _ = exact_sum([value, c], datapath.c_entry.rounding.mode == 'rd')
        value = output.round(total, datapath.c_entry, c_generator, None)
    result.max_abs_partial = Fraction(output.largest_partial, output.one)
    result.outside_last_level = not is_in_finite_range(result.reference, datapath.levels[-1])
    result.value = to_number(value, unit)
    if datapath.output:
        o = datapath.output
        generator = o.generator(randoms)
        shifted = result.value if is_special(result.value) else result.value / Fraction(2) ** datapath.shift
        if datapath.sticky_bits is not None:         # what lies below the sticky bits is shifted out, two's complement
            grid = Fraction(2) ** (-o.round_to.f - 1 - datapath.sticky_bits)
            shifted = shifted // grid * grid
        result.value = round_number(shifted, o.round_to, o.rounding, o.overflow, o.underflow,
                                    generator.next() if generator else None)[0]
    return result


def permuted(terms, permute):
    """Within each len(permute) terms, term i is pair permute[i]; entries beyond the end are skipped."""
    size = len(permute)
    return [terms[start + p] for start in range(0, len(terms), size) for p in permute if start + p < len(terms)]


def is_in_finite_range(number, level):
    if is_special(number):
        return number == '-0'
    if level.round_to.is_float:
        return abs(number) <= level.round_to.largest
    step = Fraction(2) ** -level.round_to.f
    return level.round_to.low * step <= number <= level.round_to.high * step


def code_of(datapath, result):
    """The output's code, or None where the format has none for values below its smallest normal."""
    return encode(result.value, datapath.last.format) if datapath.last.has_codes else None
