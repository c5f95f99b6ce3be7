"""What the contracts (section 3) say of the built-in datapaths, and the facts of a datapath that decide bits.

  BUILTINS[name]    -> the table of that built-in; a value of None is one the contracts leave open
  facts(table)      -> {what: value} with defaults filled in, comparable between two spellings of one datapath
"""
from blocks import parse_block_format
from datapath import Datapath
from formats import Rounding, parse_format


def single(accumulator, operands='as_traced', **level):
    return {'operands': {'a': operands, 'b': operands}, 'product': {'format': 'exact'},
            'reduction': [{'kind': 'sequential', 'format': accumulator, **level}]}


LBA = {'kind': 'sequential', 'format': 'lba_fp12', 'rounding': 'rz', 'overflow': 'saturate'}

BUILTINS = {
    'fp12': {'operands': {'a': 'as_traced', 'b': 'as_traced'},
             'product': {'format': 'e4m7:bias=12,specials=none,subnormals=off', 'rounding': 'rz', 'overflow': 'saturate'},
             'reduction': [{**LBA, 'terms': 16}, LBA]},
    'fp32': single('fp32'),
    'fp16': single('fp16'),
    'bf16': single('bf16'),
    'fp16_fp32acc': single('fp32', 'fp16'),
    'int32': single('int32', 'int8', overflow='wrap'),
    'int16_wrap': single('int16', 'int8', overflow='wrap'),
    'int16_saturate': single('int16', 'int8', overflow='saturate'),
    'sr_fp12': None,                                 # E5M2 operands, E6M5 sr; its random bits are not in the contracts
}


def rng_facts(text):
    """The generator of a rounding: its name, and its numbers as numbers."""
    name, _, options = text.partition(':')
    if name != 'lfsr':
        return text
    defaults = {'seed': 0, 'form': 'galois', 'step': 'right', 'share': 'pe'}
    pairs = [option.split('=') for option in options.split(',')]
    return (name, {**defaults, **{k: int(v, 0) if k in ('width', 'mask', 'seed') else v for k, v in pairs}})


def rounding_facts(r):
    return (r.mode, r.random_bits, r.kind if r.is_random else '', rng_facts(r.rng) if r.is_random else '')


def conversion_facts(c):
    return (c.format.facts, c.round_to.facts, rounding_facts(c.rounding), c.overflow, c.underflow)


def facts(table):
    d = Datapath(table)
    found = {}
    for side in ('a', 'b'):
        t = d.operand_table
        found['operand ' + side] = t.get(side) or 'as_traced'
        if found['operand ' + side] != 'as_traced':
            block = parse_block_format(t[side])
            default_scale = 'one' if block or parse_format(t[side]).is_float else 'amax'
            found['operand ' + side] = (block.facts if block else parse_format(t[side]).facts,
                                        rounding_facts(Rounding(t.get(side + '_rounding') or 'rne')),
                                        t.get(side + '_overflow') or (block.overflow if block else 'saturate'),
                                        t.get(side + '_scale') or default_scale)
    found['product'] = conversion_facts(d.product) if d.product else 'exact'
    found['permute'] = d.permute
    found['levels'] = len(d.levels)
    for i, level in enumerate(d.levels):
        terms = level.terms if i < len(d.levels) - 1 or level.kind == 'exact' else None
        found['level %d' % i] = (level.kind, terms, conversion_facts(level))
    found['output'] = (conversion_facts(d.output), d.shift) if d.output else None
    found['initial'] = d.initial
    return found


