"""Compares `accsim run` with the oracle, layer by layer.

  check_layers.py ACCSIM TRACE... [options]      TRACE: accsim-trace/1 files, or folders of .h5 files

Every datapath replays layers of every trace, drawn at random, and every layer of the small synthetic trace, which is made
anew. Of each layer as many outputs are recomputed as the budget of MACs allows: value, code and reference are compared
bit by bit. Where the budget covers the whole layer, event counts, statistics, ranges and integer widths are too.
The last line is `N passed, M failed`; the exit status is 1 if anything differs.
"""
import argparse
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import tomllib
from fractions import Fraction
from math import lcm

import h5py
import numpy

import make_small_trace
from builtin_datapaths import BUILTINS, facts
from datapath import Datapath, Randoms, Unsupported, code_of, evaluate, exact_sum
from error_statistics import error_statistics
from formats import is_special
from operands import operands
from trace import Tensor, layers, lower, multiply, to_float

HERE = os.path.dirname(os.path.abspath(__file__))
WITH_BIAS = ('fp12', 'int16_saturate', 'c_first', 'c_last')


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, ok, message):
        self.passed += bool(ok)
        self.failed += not ok
        if not ok:
            print('FAILED ' + message, flush=True)
        return ok


class Checked:
    """One recomputed output, in raw and in real units."""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('accsim')
    parser.add_argument('traces', nargs='+')
    parser.add_argument('--acc', action='append', help='datapath names or TOML files (default: built-in and own ones)')
    parser.add_argument('--macs', type=int, default=2500, help='budget of MACs per datapath and trace (default %(default)s)')
    parser.add_argument('--layers', type=int, default=3, help='layers drawn per datapath and trace (default %(default)s)')
    parser.add_argument('--largest', type=int, default=4_000_000, help='layers with more MACs are not drawn (default %(default)s)')
    parser.add_argument('--seed', type=int, default=1, help='of the draws (default %(default)s)')
    parser.add_argument('--no-small', action='store_true', help='without the synthetic trace')
    parser.add_argument('--all-passes', action='store_true', help='all passes of the synthetic trace, not one drawn pass')
    parser.add_argument('--quiet', action='store_true', help='only failures and the last line')
    return parser.parse_args()


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def shown_datapath(accsim, acc, tally):
    """The datapath as `accsim show` prints it, after a comparison with what the contract or the file says."""
    done = run([accsim, 'show', acc])
    if not tally.check(done.returncode == 0, '%s: show ends with %d: %s' % (acc, done.returncode, done.stderr.strip())):
        return None
    shown = tomllib.loads(done.stdout)
    if os.path.exists(acc):
        with open(acc, 'rb') as f:
            expected = tomllib.load(f)
    else:
        expected = BUILTINS.get(acc)
    if expected:
        want, got = facts(expected), facts(shown)
        for key in want:
            tally.check(want[key] == got[key], '%s: show: %s: expected %s, found %s' % (acc, key, want[key], got[key]))
    return Datapath(shown)


def real(number, scale):
    return number if is_special(number) else number * scale


def checked_output(datapath, a, b, lowering, o, randoms, bias=None):
    terms = lowering.terms(o)
    scale = (a.scale(next((i for i, _ in terms if i is not None), 0)) *
             b.scale(next((j for _, j in terms if j is not None), 0)))
    c = None if bias is None else (bias if is_special(bias) else bias / scale)
    out = Checked()
    out.result = evaluate(datapath, a, b, terms, randoms, c)
    out.raw_y, out.raw_reference = out.result.value, out.result.reference
    if bias is not None:
        out.raw_reference = exact_sum_of_numbers([out.raw_reference, c])
    out.y, out.reference = real(out.raw_y, scale), real(out.raw_reference, scale)
    out.code = code_of(datapath, out.result)
    out.terms = terms
    return out


def exact_sum_of_numbers(numbers):
    """exact_sum for Fractions."""
    unit = lcm(*(x.denominator for x in numbers if not is_special(x)))
    total, _ = exact_sum([x if is_special(x) else x.numerator * (unit // x.denominator) for x in numbers], False)
    return total if is_special(total) else Fraction(total, unit)


def signal_of(a, b, terms):
    """The exact dot product of the unquantized trace values."""
    return exact_sum_of_numbers([multiply(a.trace_value(i), b.trace_value(j)) for i, j in terms])


def same_double(expected, found):
    """The same binary64 value, zeros with their sign, any NaN alike."""
    if numpy.isnan(expected) or numpy.isnan(found):
        return bool(numpy.isnan(expected) and numpy.isnan(found))
    return expected == found and bool(numpy.signbit(expected) == numpy.signbit(found))


def close(expected, found, absolute=0.0):
    if isinstance(expected, str) or isinstance(found, str) or expected is None or found is None:
        return expected == found
    return abs(expected - found) <= 1e-9 * abs(expected) + absolute


def compare_outputs(where, chosen, outputs, group, with_codes, tally):
    """Value, code and reference of every chosen output against the result file; at most three complaints a layer."""
    found_y, found_reference = (group[name][()].reshape(-1) for name in ('output', 'reference'))
    found_codes = group['output_code'][()].reshape(-1) if 'output_code' in group else None
    tally.check((found_codes is not None) == with_codes, '%s: output_code is %s' % (where, 'missing' if with_codes else 'there'))
    wrong = 0
    for o, out in zip(chosen, outputs):
        y, reference = to_float(out.y), to_float(out.reference)
        problems = []
        if not same_double(y, found_y[o]):
            problems.append('output: expected %r, found %r' % (y, float(found_y[o])))
        if with_codes and found_codes is not None and out.code != int(found_codes[o]):
            problems.append('output_code: expected %x, found %x' % (out.code, int(found_codes[o])))
        if not (reference == found_reference[o] or same_double(reference, found_reference[o])):
            problems.append('reference: expected %r, found %r' % (reference, float(found_reference[o])))
        tally.passed += 3 - len(problems)
        tally.failed += len(problems)
        if problems and wrong < 3:
            print('FAILED %s, output %d: %s' % (where, o, '; '.join(problems)), flush=True)
        wrong += bool(problems)
    if wrong > 3:
        print('FAILED %s: %d of %d outputs differ' % (where, wrong, len(chosen)), flush=True)


def expected_events(outputs):
    events = {name: sum(o.result.events[name] for o in outputs) for name in outputs[0].result.events}
    overflowed = [o for o in outputs if o.result.overflowed]
    events['outputs_overflowed'] = len(overflowed)
    events['outputs_persistent_overflow'] = sum(o.result.outside_last_level for o in overflowed)
    events['outputs_transient_overflow'] = len(overflowed) - events['outputs_persistent_overflow']
    events['nonfinite_outputs'] = sum(o.y in ('inf', '-inf', 'nan') for o in outputs)
    return events


def expected_range(outputs):
    finite_outputs = [abs(o.raw_y) for o in outputs if not is_special(o.raw_y)]
    return {'max_abs_product': to_float(max(o.result.max_abs_product for o in outputs)),
            'max_abs_partial': to_float(max(o.result.max_abs_partial for o in outputs)),
            'max_abs_output': to_float(max(finite_outputs, default=Fraction(0)))}


def observed_width(outputs):
    """The least two's complement width that holds every exact prefix of the sums."""
    low, high = min(o.result.prefix_low for o in outputs), max(o.result.prefix_high for o in outputs)
    width = 1
    while not (-(1 << (width - 1)) <= low and high < 1 << (width - 1)):
        width += 1
    return width


def is_plain_integer(datapath, a, b):
    """Integer operands into one sequential integer level: the prefixes are those of the term order."""
    formats = [datapath.levels[0].format] + [x.conversion.format if x.conversion else x.entered.format for x in (a, b)]
    return (len(datapath.levels) == 1 and datapath.levels[0].kind == 'sequential' and not datapath.permute and
            datapath.product is None and all(f and not f.is_float and f.f == 0 for f in formats))


def compare_layer_numbers(where, datapath, a, b, outputs, row, tally):
    for o in outputs:
        o.signal = signal_of(a, b, o.terms)
    expected = {'events': expected_events(outputs), 'range': expected_range(outputs)}
    expected.update(error_statistics(outputs, datapath.last.format, datapath.shift))
    if is_plain_integer(datapath, a, b):
        expected['bits'] = {'observed': observed_width(outputs)}
    for section, values in expected.items():
        for name, value in values.items():
            found = row.get(section, {}).get(name, 'nothing')
            # A bias may cancel: its tolerance is that of the terms it sums.
            absolute = 1e-12 * expected['error']['rmse'] if name == 'bias' and value is not None else 0.0
            ok = found == value if section in ('events', 'bits') else close(value, found, absolute)
            tally.check(ok, '%s: %s.%s: expected %r, found %r' % (where, section, name, value, found))


def choose_outputs(rng, lowering, budget):
    """All outputs where the budget covers them, else the first, the last and random ones."""
    affordable = budget // max(1, lowering.k)
    if affordable >= lowering.outputs:
        return list(range(lowering.outputs))
    if affordable < 3:
        return [rng.randrange(lowering.outputs)]
    return sorted({0, lowering.outputs - 1} | set(rng.sample(range(lowering.outputs), affordable - 2)))


def bias_of(layer, lowering, o):
    """The bias element that belongs to output o, as a number in real units."""
    tensor = Tensor(layer.group['bias'])
    i = o % lowering.out_shape[-1] if layer.op == 'linear' else o // (lowering.out_shape[2] * lowering.out_shape[3]) % lowering.out_shape[1]
    return multiply(tensor.unscaled(i), tensor.scale(i))


def compare_run(settings, acc, datapath, trace_path, chosen_layers, pass_, budget, seed, rng, tally, with_bias=False):
    """One `accsim run` over the chosen layers of one pass."""
    name = os.path.splitext(os.path.basename(acc))[0]
    title = '%s %s' % (name, os.path.basename(trace_path)) + (' with bias' if with_bias else '')
    with tempfile.TemporaryDirectory() as folder:
        document, results = os.path.join(folder, 'run.json'), os.path.join(folder, 'run.h5')
        command = [settings.accsim, 'run', '--acc', acc, '--trace', trace_path, '--pass', pass_, '--json', document, '--out', results,
                   '--save', 'output,reference', '--quiet', '--progress', 'never']
        command += ['--seed', str(seed)] if seed else []
        command += ['--bias-in-accumulator'] if with_bias else []
        for layer in chosen_layers:
            command += ['--layer', layer.name]
        done = run(command)
        if not tally.check(done.returncode == 0, '%s %s: run ends with %d: %s\n  command: %s' % (
                title, pass_, done.returncode, done.stderr.strip()[-600:], ' '.join(command))):
            return
        with open(document) as f:
            rows = json.load(f)['layers']
        want = [(layer.name, pass_) for layer in chosen_layers]
        tally.check([(row['name'], row['pass']) for row in rows] == want, '%s: rows are %s, expected %s' % (
            title, [(row['name'], row['pass']) for row in rows], want))
        rows = {row['name']: row for row in rows}
        with h5py.File(results, 'r') as h5:
            for layer in chosen_layers:
                where = '%s: %s %s' % (title, layer.name, pass_)
                group_name = layer.name + ('' if pass_ == 'fprop' else '/' + pass_)
                if tally.check(layer.name in rows and group_name in h5, where + ': not in the results'):
                    compare_layer(where, datapath, layer, pass_, budget // len(chosen_layers), seed, rng, rows[layer.name],
                                  h5[group_name], settings, tally, with_bias)


def compare_layer(where, datapath, layer, pass_, budget, seed, rng, row, group, settings, tally, with_bias):
    lowering = lower(layer, pass_)
    m, n, k, batch = lowering.mnk_batch
    shape = {'op': layer.op, 'm': m, 'n': n, 'k': k, 'batch': batch, 'macs': m * n * k * batch, 'outputs': lowering.outputs}
    for key, value in shape.items():
        tally.check(row[key] == value, '%s: %s: expected %s, found %s' % (where, key, value, row[key]))
    if not tally.check(group['output'].shape == lowering.out_shape, '%s: output has shape %s, expected %s' % (
            where, group['output'].shape, lowering.out_shape)):
        return
    before = tally.passed, tally.failed
    a, b = operands(datapath, layer, lowering, pass_, seed)
    chosen = choose_outputs(rng, lowering, budget)
    outputs = [checked_output(datapath, a, b, lowering, o, Randoms(seed, layer.rank, pass_, o),
                              bias_of(layer, lowering, o) if with_bias else None) for o in chosen]
    compare_outputs(where, chosen, outputs, group, datapath.last.has_codes, tally)
    whole = len(chosen) == lowering.outputs
    if whole and not with_bias:
        compare_layer_numbers(where, datapath, a, b, outputs, row, tally)
    if not settings.quiet:
        print('%-100s %5d of %5d outputs%s, %6d MACs, %d compared, %d differ' % (
            where, len(chosen), lowering.outputs, ' and all numbers' if whole and not with_bias else '', len(chosen) * lowering.k,
            tally.passed - before[0], tally.failed - before[1]), flush=True)


def draw_layers(rng, candidates, count):
    """`count` layers in execution order."""
    return sorted(rng.sample(candidates, min(count, len(candidates))), key=lambda layer: layer.rank)


def compare_trace(settings, acc, datapath, path, is_small, rng, tally):
    with h5py.File(path, 'r') as f:
        everything = layers(f)
        passes = sorted({p for layer in everything for p in layer.passes()})
        for pass_ in passes if is_small and settings.all_passes else [rng.choice(passes)]:
            candidates = [layer for layer in everything if pass_ in layer.passes()]
            seed = rng.choice([0, 0, 7, 2 ** 40 + 5])
            if is_small:
                compare_run(settings, acc, datapath, path, candidates, pass_, 10 ** 9, seed, rng, tally)
                continue
            candidates = [layer for layer in candidates if macs(layer, pass_) <= settings.largest]
            if candidates:
                drawn = draw_layers(rng, candidates, settings.layers)
                compare_run(settings, acc, datapath, path, drawn, pass_, settings.macs, seed, rng, tally)
        if os.path.splitext(os.path.basename(acc))[0] in WITH_BIAS:
            candidates = [layer for layer in everything if 'bias' in layer.group and macs(layer, 'fprop') <= settings.largest]
            if candidates:
                drawn = draw_layers(rng, candidates, settings.layers)
                compare_run(settings, acc, datapath, path, drawn, 'fprop', settings.macs, 0, rng, tally, with_bias=True)


def macs(layer, pass_):
    m, n, k, batch = lower(layer, pass_).mnk_batch
    return m * n * k * batch


def main():
    settings = parse_arguments()
    rng, tally = random.Random(settings.seed), Tally()
    accs = settings.acc or list(BUILTINS) + sorted(glob.glob(os.path.join(HERE, 'datapaths', '*.toml')))
    traces = [p for t in settings.traces for p in (sorted(glob.glob(os.path.join(t, '*.h5'))) if os.path.isdir(t) else [t])]
    with tempfile.TemporaryDirectory() as folder:
        small = os.path.join(folder, 'small.h5')
        make_small_trace.write(small)
        for acc in accs:
            try:
                datapath = shown_datapath(settings.accsim, acc, tally)
                for path in traces + ([] if settings.no_small else [small]) if datapath else []:
                    compare_trace(settings, acc, datapath, path, path == small, rng, tally)
            except Unsupported as reason:
                print('%s: skipped: %s' % (acc, reason), flush=True)
    print('%d passed, %d failed' % (tally.passed, tally.failed))
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main())
