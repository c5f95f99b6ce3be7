"""Compares `accsim run --recipe` with a model of two recipes written from their definitions alone.

  check_recipes.py ACCSIM [TRACE...] [--outputs N] [--last-step]

mellempudi2019: E5M2 operands and results, to nearest forward, stochastic (8 bits, kind a) for gradients; binary32 sums; the loss
scale divided out and 10000 put in. luq4: INT4 with SAWB forward; gradients 0 or alpha * 2^0..2^6, alpha = max|g| / 2^6, below alpha
up with probability |g| / alpha, above with the fraction of the way to the next power of two, both as integers of 24 bits. Values and
codes of N outputs a pass and layer (the first, the last, random ones), bit by bit, of every layer with gradients (--last-step: of the last
step). Without traces: a small synthetic one and a transformer block in training.
The last line is `N passed, M failed`; the exit status is 1 if anything differs, 77 if none of the traces is there.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
from fractions import Fraction
from math import sqrt

import h5py
import numpy

import make_small_trace
import make_transformer_trace
from datapath import Randoms, evaluate, load_datapath
from formats import Rounding, encode, is_special, parse_format, round_number
from philox import SITE_OPERAND_A, SITE_OPERAND_B, SITE_OUTPUT
from trace import attribute, from_float, layers, lower, multiply, to_float

FP32 = load_datapath('[product]\nformat = "exact"\n[[reduction]]\nkind = "sequential"\nformat = "e8m23"\n')
E5M2 = parse_format('e5m2')
NEAREST, STOCHASTIC = Rounding('rne'), Rounding('sr:bits=8')


class Seen:
    """What the datapath sees of an operand, in the shape that evaluate() asks for."""

    def __init__(self, quantize, scale):
        self.quantize, self.quantizer_scale, self.memo = quantize, Fraction(scale), {}

    def element(self, i):
        if i is None:
            return 0, 0
        if i not in self.memo:
            x = self.quantize(i)
            self.memo[i] = x if is_special(x) else (x.numerator, x.denominator.bit_length() - 1)
        return self.memo[i]

    def row(self, places):
        return [self.element(i) for i in places]


def real_values(tensor, divisor=1.0, factor=1.0):
    """The elements in real units, as binary64: (decode(code) - zero_point) * scale / divisor * factor."""
    values = []
    for i in range(len(tensor.places)):
        x = to_float(tensor.unscaled(i)) * float(tensor.scale(i))
        values.append(x if divisor == factor else x / divisor * factor)
    return values


def bits_at(randoms, site, bits, o):
    at = Randoms(randoms.seed, randoms.layer, randoms.pass_, o)
    return at.generator(site, Rounding('sr:bits=%d' % bits)).next()


class Mellempudi:
    """Everything is E5M2; what overflows becomes infinite."""

    loss_scale = 10000.0
    results = E5M2

    @staticmethod
    def rounded(x, stochastic, randoms, site, o):
        r = bits_at(randoms, site, 8, o) if stochastic else None
        return round_number(x, E5M2, STOCHASTIC if stochastic else NEAREST, 'ieee', 'gradual', r)[0]

    def operand(self, name, values, randoms, site):
        stochastic = name == 'grad_output'
        return Seen(lambda i: self.rounded(from_float(values[i]), stochastic, randoms, site, i), 1)

    def result(self, y, pass_, randoms, o):
        return self.rounded(from_float(to_float(y)), pass_ != 'fprop', randoms, SITE_OUTPUT, o)


class Luq:
    """INT4 with SAWB forward, logarithmic unbiased gradients."""

    loss_scale = None
    results = None

    def operand(self, name, values, randoms, site):
        if name == 'grad_output':
            return self.gradient(values, randoms, site)
        squares = sum(Fraction(v) ** 2 for v in values) / len(values)
        mean = sum(abs(Fraction(v)) for v in values) / len(values)
        clip = 12.68 * sqrt(float(squares)) + -12.80 * float(mean)
        scale = 2 * clip / 15.0 if clip > 0 else (max(abs(v) for v in values) / 7.0 or 1.0)

        def element(i):
            q = Fraction(values[i] / scale)
            return max(-8, min(7, Fraction(round(q))))       # round(): halves to even
        return Seen(element, scale)

    def gradient(self, values, randoms, site):
        alpha = Fraction(max(abs(v) for v in values)) / 64 or Fraction(1)
        one = 1 << 24

        def element(i):
            v = abs(Fraction(values[i] / float(alpha)))
            if v == 0:
                return Fraction(0)
            r = bits_at(randoms, site, 24, i)
            power = Fraction(1)
            while v >= 2 * power:
                power *= 2
            low = Fraction(0) if v < 1 else power
            up = (v - low) / power * one                      # the share of the way up, in 24 bits
            level = low + power if up.numerator // up.denominator + r >= one else low
            return level if values[i] > 0 else -level
        return Seen(element, alpha)

    def result(self, y, pass_, randoms, o):
        return y


RECIPES = {'mellempudi2019': Mellempudi(), 'luq4': Luq()}


def compare(name, recipe, layer, pass_, group, count, rng, tally):
    lowering = lower(layer, pass_)
    randoms = Randoms(0, layer.rank, pass_, None)
    stored = attribute(layer.group, 'loss_scale', 1.0)

    def operand(dataset, site):
        scaled = (stored, recipe.loss_scale) if dataset == 'grad_output' and recipe.loss_scale else ()
        return recipe.operand(dataset, real_values(layer.tensor(dataset), *scaled), randoms, site)

    a, b = operand(lowering.a, SITE_OPERAND_A), operand(lowering.b, SITE_OPERAND_B)
    found = group['output'][()].reshape(-1)
    codes = group['output_code'][()].reshape(-1)
    chosen = sorted({0, lowering.outputs - 1} | {rng.randrange(lowering.outputs) for _ in range(count)})
    for o in chosen:
        y = evaluate(FP32, a, b, lowering.terms(o), Randoms(0, layer.rank, pass_, o)).value
        y = multiply(y, a.quantizer_scale * b.quantizer_scale)
        code = encode(y, parse_format('e8m23')) if recipe.results is None and not is_special(y) and a.quantizer_scale * b.quantizer_scale == 1 else None
        y = recipe.result(y, pass_, randoms, o)
        if recipe.results:
            code = encode(y, recipe.results)
        wanted, got = to_float(y), float(found[o])
        ok = (wanted == got or (wanted != wanted and got != got)) and (code is None or code == int(codes[o]))
        tally[ok] += 1
        if not ok:
            print('FAILED %s: %s %s output %d: expected %r, found %r' % (name, layer.name, pass_, o, wanted, got), flush=True)


def compare_trace(accsim, name, recipe, path, last_step, count, rng, tally):
    with tempfile.TemporaryDirectory() as folder, h5py.File(path, 'r') as f:
        out = os.path.join(folder, 'run.h5')
        everything = [layer for layer in layers(f) if 'grad_output' in layer.group]
        if last_step:
            everything = [layer for layer in everything if layer.name.split('/')[0] == everything[-1].name.split('/')[0]]
        command = [accsim, 'run', '--recipe', name, '--trace', path, '--out', out, '--quiet']
        for layer in everything:
            command += ['--layer', layer.name.replace('[', '[[]')]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            print('FAILED %s: %s: ends with %d: %s' % (name, path, done.returncode, done.stderr.strip()))
            tally[False] += 1
            return
        with h5py.File(out, 'r') as results:
            for layer in everything:
                for pass_ in ('fprop', 'dgrad', 'wgrad'):
                    group = results[layer.name if pass_ == 'fprop' else layer.name + '/' + pass_]
                    compare(name, recipe, layer, pass_, group, count, rng, tally)


def write_small_trace(path):
    """Convolutions, linear layers and matmuls of two steps, gradients over many binades, stored under loss scales of their own."""
    rng = numpy.random.default_rng(5)
    with h5py.File(path, 'w', track_order=True) as f:
        for step in ('step_000001', 'step_000007'):
            group = f.create_group(step, track_order=True)
            make_small_trace.float_layers(group, rng)
            make_small_trace.matmul_layers(group, rng)
            for layer in group.values():
                if 'grad_output' in layer:
                    gradients = layer['grad_output']
                    gradients[...] *= numpy.exp2(rng.integers(-24, 4, gradients.shape)).astype(gradients.dtype)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('accsim')
    parser.add_argument('traces', nargs='*')
    parser.add_argument('--outputs', type=int, default=12, help='outputs a pass and layer (default %(default)s)')
    parser.add_argument('--last-step', action='store_true', help='only the layers of the last step')
    settings = parser.parse_args()
    tally = {True: 0, False: 0}
    with tempfile.TemporaryDirectory() as folder:
        traces = [path for path in settings.traces if os.path.exists(path)]
        for path in set(settings.traces) - set(traces):
            print('skipped: no ' + path)
        if settings.traces and not traces:
            sys.exit(77)
        if not traces:
            traces = [os.path.join(folder, 'small.h5'), os.path.join(folder, 'transformer.h5')]
            write_small_trace(traces[0])
            make_transformer_trace.write(traces[1], steps=(1, 40))
        for path in traces:
            for name, recipe in RECIPES.items():
                compare_trace(settings.accsim, name, recipe, path, settings.last_step, settings.outputs, random.Random(1), tally)
    print('%d passed, %d failed' % (tally[True], tally[False]))
    sys.exit(1 if tally[False] or not tally[True] else 0)


if __name__ == '__main__':
    main()
