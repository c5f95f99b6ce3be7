"""Files of cycles for the units that cycle_bench.sv drives: inputs of a clock beside the outputs that stand before its edge.

The online units are modelled here from their definitions (Ercegovac and Lang, Digital Arithmetic, ch. 9), and the streams' values are held to the
exact sums and products; the array's sums are accsim's own, from libaccsim_dpi."""

import random
from fractions import Fraction


class OnlineAdder:
    """2h - g = x+ - x- + y+; -2t + w = h - g - y- of the clock before; z = (w of the clock before, t), registered."""

    def __init__(self):
        self.g = self.y_minus = self.w = 0
        self.z = (0, 0)

    def clock(self, x, y):
        total = x[0] - x[1] + y[0]  # -1..2
        h = (total + 1) // 2
        g = 2 * h - total
        total = h - self.g - self.y_minus  # -2..1
        t = (1 - total) // 2
        w = total + 2 * t
        self.z = (self.w, t)
        self.g, self.y_minus, self.w = g, y[1], w


class Tree:
    def __init__(self, terms):
        self.levels = []
        while terms > 1:
            self.levels.append(([OnlineAdder() for _ in range(terms // 2)], [(0, 0)] * 3 if terms % 2 else None))
            terms = (terms + 1) // 2

    def output(self):
        return self.levels[-1][0][0].z

    def clock(self, digits):
        for adders, waiting in self.levels:
            out = [adder.z for adder in adders] + ([waiting[2]] if waiting else [])
            for i, adder in enumerate(adders):
                adder.clock(digits[2 * i], digits[2 * i + 1])
            if waiting:
                waiting[1:] = waiting[:2]
                waiting[0] = digits[-1]
            digits = out


def adder_tree(rows, seed, terms=9, digits=8):
    """Streams of `digits` digits, a gap of zeros behind each so that they do not meet: {x_plus, x_minus}, {z_plus, z_minus}."""
    rng = random.Random(seed)
    tree, words, levels = Tree(terms), [], 4
    streams = rows // (digits + levels) - 1
    inputs, sums = [], []
    for number in range(streams):
        kind = number % 4
        values = Fraction(0)
        for i in range(digits):
            if kind == 0:  # all ones of one sign: the largest sums
                column = [1 if number % 8 == 0 else -1] * terms
            elif kind == 1:
                column = [rng.choice((-1, 1)) for _ in range(terms)]
            else:
                column = [rng.choice((-1, 0, 1)) for _ in range(terms)]
            values += sum(column) * Fraction(1, 2 ** (i + 1))
            inputs.append([{1: (1, 0), -1: (0, 1), 0: rng.choice(((0, 0), (1, 1)))}[d] for d in column])
        inputs += [[(0, 0)] * terms] * levels
        sums.append(values)
    inputs += [[(0, 0)] * terms] * (rows - len(inputs))
    outputs = []
    for column in inputs:
        plus = sum(d[0] << i for i, d in enumerate(column))
        minus = sum(d[1] << i for i, d in enumerate(column))
        z = tree.output()
        outputs.append(z[0] - z[1])
        words.append("%05x" % (plus << 11 | minus << 2 | z[0] << 1 | z[1]))
        tree.clock(column)
    # z at position 1 - levels is registered three clocks a level after the first digits, less one position a level: checked on the values.
    for number, value in enumerate(sums):
        start = number * (digits + levels) + 2 * levels
        stream = outputs[start:start + digits + levels]
        assert sum(d * Fraction(2) ** (levels - 1 - i) for i, d in enumerate(stream)) == value, (number, stream, value)
    return words


class SerialParallel:
    """v = 2w + x Y / 4 in two words; 1 where the estimate in quarters is at least 2, -1 where at most -3, from the third digit on."""

    def __init__(self, y, bits):
        self.y, self.fraction, self.cycle = y, bits + 2, 0
        self.mask = (1 << (self.fraction + 2)) - 1
        self.s = self.c = 0

    def clock(self, digit):
        row = (digit * self.y) & self.mask
        s, c = (self.s << 1) & self.mask, (self.c << 1) & self.mask
        s, c = s ^ c ^ row, (((s & c) | (s & row) | (c & row)) << 1) & self.mask
        quarters = ((s >> (self.fraction - 2)) + (c >> (self.fraction - 2))) & 15
        quarters -= 16 if quarters >= 8 else 0
        z = 0
        if self.cycle >= 2:
            z = 1 if quarters >= 2 else -1 if quarters <= -3 else 0
            low = (1 << (self.fraction - 2)) - 1
            s, c = ((quarters - 4 * z) & 15) << (self.fraction - 2) | (s & low), c & low
        self.s, self.c = s, c
        self.cycle += 1
        return z


def multiplier(rows, seed, bits=8, digits=8):
    """{start, x_plus, x_minus, y}, {z_plus, z_minus}: vectors of `digits` digits, run until the product is exact, or cut short."""
    rng = random.Random(seed)
    words, registered, number = [], (0, 0), 0
    while len(words) < rows:
        kind = number % 5
        y = {0: -(1 << (bits - 1)), 1: (1 << (bits - 1)) - 1}.get(kind, rng.randrange(-(1 << (bits - 1)), 1 << (bits - 1)))
        x = [rng.choice((-1, 0, 1)) for _ in range(digits)] if kind > 1 else [rng.choice((-1, 1))] * digits
        length = digits + bits + 2 if kind != 4 else rng.randrange(1, digits + bits)
        unit = SerialParallel(y, bits)
        z = []
        for cycle in range(length):
            digit = x[cycle] if cycle < digits else 0
            new = unit.clock(digit)
            if cycle >= 2:
                z.append(new)
            wires = {1: (1, 0), -1: (0, 1), 0: (0, 0)}[digit] if digit or rng.random() < 0.7 else (1, 1)
            words.append("%04x" % ((cycle == 0) << 12 | wires[0] << 11 | wires[1] << 10 | (y & 0xff) << 2 | registered[0] << 1 | registered[1]))
            registered = (int(new == 1), int(new == -1))
        if kind != 4:
            product = sum(d * Fraction(1, 2 ** (i + 1)) for i, d in enumerate(x)) * Fraction(y, 1 << bits)
            assert sum(d * Fraction(1, 2 ** (i + 1)) for i, d in enumerate(z)) == product, (x, y, z)
        number += 1
    return words[:rows]


class SerialSerial:
    """v = 2w + (x y_new + y_new x_new) / 8 in two words, x before and y behind their new digits; digits from the fourth clock on."""

    def __init__(self, digits):
        self.digits, self.cycle, self.x, self.y = digits, 0, 0, 0
        self.low = digits + 1  # below the estimate's quarters, of digits + 3 fraction bits
        self.mask = (1 << (digits + 5)) - 1
        self.s = self.c = 0

    def clock(self, x, y):
        self.cycle += 1
        weight = 1 << (self.digits - self.cycle) if self.cycle <= self.digits else 0
        x, y = (x, y) if weight else (0, 0)
        first = self.x * y
        self.y += y * weight
        second = self.y * x
        self.x += x * weight
        s, c = (self.s << 1) & self.mask, (self.c << 1) & self.mask
        for row in (first & self.mask, second & self.mask):
            s, c = s ^ c ^ row, (((s & c) | (s & row) | (c & row)) << 1) & self.mask
        quarters = ((s >> self.low) + (c >> self.low)) & 15
        quarters -= 16 if quarters >= 8 else 0
        z = 0
        if self.cycle > 3:
            z = 1 if quarters >= 2 else -1 if quarters <= -3 else 0
            low = (1 << self.low) - 1
            s, c = ((quarters - 4 * z) & 15) << self.low | (s & low), c & low
        self.s, self.c = s, c
        return z


def value(digits, first=1):
    return sum(d * Fraction(2) ** -(first + i) for i, d in enumerate(digits))


def wires_of(digit, rng):
    return {1: (1, 0), -1: (0, 1), 0: (0, 0)}[digit] if digit or rng.random() < 0.7 else (1, 1)


def serial_multiplier(rows, seed, digits=8):
    """{start, x_plus, x_minus, y_plus, y_minus}, {z_plus, z_minus}: operands of `digits` digits, until the product is exact, or cut short."""
    rng = random.Random(seed)
    words, registered, number = [], (0, 0), 0
    while len(words) < rows:
        kind = number % 5
        x, y = ([rng.choice((-1, 1))] * digits if kind == 0 else [rng.choice((-1, 1) if kind == 1 else (-1, 0, 1)) for _ in range(digits)] for _ in "xy")
        length = 2 * digits + 3 if kind != 4 else rng.randrange(1, 2 * digits)
        unit, z = SerialSerial(digits), []
        for cycle in range(length):
            pair = (x[cycle], y[cycle]) if cycle < digits else (rng.choice((-1, 0, 1)), rng.choice((-1, 0, 1)))  # not looked at behind the last
            new = unit.clock(*pair)
            if cycle >= 3:
                z.append(new)
            (xp, xm), (yp, ym) = wires_of(pair[0], rng), wires_of(pair[1], rng)
            words.append("%02x" % ((cycle == 0) << 6 | xp << 5 | xm << 4 | yp << 3 | ym << 2 | registered[0] << 1 | registered[1]))
            registered = (int(new == 1), int(new == -1))
        if kind != 4:
            assert value(z) == value(x) * value(y), (x, y, z)
        number += 1
    return words[:rows]


def inner_product(rows, seed, terms=9, bits=8):
    """{start, x_plus, x_minus, y}, {p_plus, p_minus, z_plus, z_minus}: vectors at the tree's interval; every sum is exact."""
    rng = random.Random(seed)
    tree, words, levels = Tree(terms), [], 4
    interval = 2 * bits + levels
    products, outputs, sums, number = [0] * terms, [], [], 0
    while len(words) < rows:
        kind = number % 4
        y = [rng.choice((-128, 127)) if kind == 0 else rng.randrange(-128, 128) for _ in range(terms)]
        x = [[rng.choice((-1, 1) if kind < 2 else (-1, 0, 1)) for _ in range(bits)] for _ in range(terms)]
        if kind == 0:
            x = [[x[0][0]] * bits] * terms
        units = [SerialParallel(v, bits) for v in y]
        sums.append(sum(value(d) * Fraction(v, 1 << bits) for d, v in zip(x, y)))
        for cycle in range(interval):
            digits = [d[cycle] if cycle < bits else 0 for d in x]
            wires = [wires_of(d, rng) for d in digits]
            z = tree.output()
            outputs.append(z[0] - z[1])
            fields = int(cycle == 0)
            for group in ([w[0] for w in wires], [w[1] for w in wires]):
                fields = fields << terms | sum(bit << t for t, bit in enumerate(group))
            fields = fields << (bits * terms) | sum((v & 0xff) << (bits * t) for t, v in enumerate(y))
            for sign in (1, -1):
                fields = fields << terms | sum((p == sign) << t for t, p in enumerate(products))
            words.append("%028x" % (fields << 2 | z[0] << 1 | z[1]))
            tree.clock([{1: (1, 0), -1: (0, 1), 0: (0, 0)}[p] for p in products])
            products = [unit.clock(d) for unit, d in zip(units, digits)]
        number += 1
    for number, total in enumerate(sums[:-2]):
        start = number * interval + 3 + 2 * levels  # first digit registered at the end of cycle delay + 1 + 2 L, position 1 - L
        stream = outputs[start:start + interval]
        assert value(stream, 1 - levels) == total, (number, stream, total)
    return words[:rows]


def interleaved(wave_rows):
    """{in_valid, last, out_ready, number, gate}, {in_ready, out_valid, acc}, from the rows of `accsim wave`."""
    words = []
    for row in wave_rows:
        valid, out_valid = row["in_valid"] == "1", row["out_valid"] == "1"
        word = valid << 2 | (row["in_last"] == "1") << 1 | (row["out_ready"] == "1")
        word = word << 17 | int(row["a"], 16) << 1 | int(row["b"], 16)
        word = word << 2 | (row["in_ready"] == "1") << 1 | out_valid
        words.append("%010x" % (word << 16 | (int(row["acc"], 16) if out_valid else 0)))
    return words


def output_stationary(rows, seed, step, size=4):
    """{in_valid, first, last, a, b}, {out_valid, out}: tiles of 1 to 40 terms with gaps of none. `step(cell, first, a, b)` gives a cell's sum."""
    rng = random.Random(seed)
    words = []

    def word(valid, first, last, a, b, out):
        fields = (valid << 2 | first << 1 | last) << 64 | sum(x << (8 * i) for i, x in enumerate(a)) << 32 | sum(x << (8 * i) for i, x in enumerate(b))
        bits = 0 if out is None else 1 << 64 | sum(x << (16 * j) for j, x in enumerate(out))
        words.append("%033x" % (fields << 65 | bits))

    def code():
        return rng.choice((0x80, 0x7f, 0x00, 0x81)) if rng.random() < 0.3 else rng.randrange(256)

    while len(words) < rows:
        terms = rng.randrange(1, 41)
        for _ in range(rng.randrange(0, 3)):
            word(0, rng.randrange(2), rng.randrange(2), [0] * size, [0] * size, None)
        start = len(words)
        sums = [[0] * size for _ in range(size)]
        for k in range(terms):
            a, b = [code() for _ in range(size)], [code() for _ in range(size)]
            word(1, k == 0, k == terms - 1, a, b, None)
            for i in range(size):
                for j in range(size):
                    sums[i][j] = step(size * i + j, k == 0, a[i], b[j])
        for _ in range(2 * size - 2):
            word(0, 0, 0, [0] * size, [0] * size, None)
        for i in reversed(range(size)):
            word(0, 0, 0, [0] * size, [0] * size, sums[i])
        assert len(words) - start == 2 * size + size + terms - 2  # fold with column drain: 2R + C + T - 2
    return words[:rows]
