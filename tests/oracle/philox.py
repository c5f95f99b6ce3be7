"""Random bits of stochastic roundings: Philox4x32-10 with the counter layout of the contracts, section 1.3, and LFSRs.

  philox4x32_10(counter, key)           -> four words
  random_bits(rng, seed, layer, pass_, output, site, bits).next() -> the next R-bit number of this site and output
"""

MASK32 = 0xFFFFFFFF

SITE_PRODUCT, SITE_FIRST_LEVEL, SITE_C, SITE_OUTPUT, SITE_OPERAND_A, SITE_OPERAND_B = 0, 1, 12, 13, 14, 15
PASSES = {'fprop': 0, 'dgrad': 1, 'wgrad': 2}


def philox4x32_10(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product0 = 0xD2511F53 * c0
        product1 = 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (product1 >> 32) ^ c1 ^ k0, product1 & MASK32, (product0 >> 32) ^ c3 ^ k1, product0 & MASK32
        k0 = (k0 + 0x9E3779B9) & MASK32
        k1 = (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def parity(n):
    return bin(n).count('1') & 1


def lfsr_step(state, width, mask, form, step):
    top = 1 << (width - 1)
    if form == 'galois' and step == 'right':
        return (state >> 1) ^ (mask if state & 1 else 0)
    if form == 'galois':
        return ((state << 1) & (2 * top - 1)) ^ (mask if state & top else 0)
    if step == 'left':
        return ((state << 1) | parity(state & mask)) & (2 * top - 1)
    return (state >> 1) | (parity(state & mask) << (width - 1))


class Philox:
    """The numbers of one site of one output, n = 0, 1, 2, ..."""

    def __init__(self, seed, layer, pass_, output, site, bits):
        self.key = (seed & MASK32, seed >> 32)
        self.output, self.site_word, self.bits = output, 64 * layer + 16 * PASSES[pass_] + site, bits
        self.n = 0

    def next(self):
        if self.n % 4 == 0:
            counter = (self.n // 4, self.output & MASK32, self.output >> 32, self.site_word)
            self.words = philox4x32_10(counter, self.key)
        word = self.words[self.n % 4]
        self.n += 1
        return word & ((1 << self.bits) - 1)


class Lfsr:
    """share=pe without an array: every output has a generator of its own, seeded S xor o."""

    def __init__(self, fields, output, bits):
        self.width, self.mask = int(fields['width'], 0), int(fields['mask'], 0)
        self.form, self.step, self.bits = fields['form'], fields['step'], bits
        self.state = (int(fields['seed'], 0) ^ output) % (1 << self.width) or 1

    def next(self):
        r = self.state & ((1 << self.bits) - 1)
        self.state = lfsr_step(self.state, self.width, self.mask, self.form, self.step)
        return r


def random_bits(rng, default_seed, layer, pass_, output, site, bits):
    """The generator that the `rng=` text of a rounding names."""
    name, _, options = rng.partition(':')
    if name == 'philox':
        return Philox(int(options, 0) if options else default_seed, layer, pass_, output, site, bits)
    fields = dict(option.split('=') for option in options.split(','))
    if name != 'lfsr' or fields.get('share') != 'pe':
        raise ValueError('random numbers %r are not ones the oracle knows' % rng)
    return Lfsr(fields, output, bits)
