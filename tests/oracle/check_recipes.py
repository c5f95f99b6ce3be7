"""Compares `accsim run --recipe` with the models of recipes.py.

  check_recipes.py ACCSIM [TRACE...] [--outputs N] [--last-step] [--recipes NAMES]

Values and codes of N outputs a pass and layer (the first, the last, random ones), bit by bit, of every layer with gradients (--last-step: of
the last step). Without traces: a small synthetic one and a transformer block in training, under every recipe; real ones under
mellempudi2019 and luq4, unless --recipes says otherwise.
The last line is `N passed, M failed`; the exit status is 1 if anything differs, 77 if none of the traces is there.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile

import h5py
import numpy

import make_small_trace
import make_transformer_trace
from datapath import Randoms, evaluate, load_datapath
from formats import encode
from philox import SITE_OPERAND_A, SITE_OPERAND_B
from recipes import RECIPES, Place
from trace import attribute, layers, lower, multiply, to_float

FP32 = load_datapath('[product]\nformat = "exact"\n[[reduction]]\nkind = "sequential"\nformat = "e8m23"\n')
ROLES = {'a': 'input', 'b': 'weight'}


def real_values(tensor, divisor=1.0, factor=1.0):
    """The elements in real units, as binary64: (decode(code) - zero_point) * scale / divisor * factor."""
    values = []
    for i in range(len(tensor.places)):
        x = to_float(tensor.unscaled(i)) * float(tensor.scale(i))
        values.append(x if divisor == factor else x / divisor * factor)
    return values


def earlier_amax(layer, everything, dataset):
    """The largest magnitude of the same dataset in the steps before."""
    name = layer.name.split('/', 1)[1]
    before = [other for other in everything if other.rank < layer.rank and other.name.split('/', 1)[1] == name]
    return max((abs(v) for other in before for v in real_values(other.tensor(dataset))), default=0.0)


def compare(name, recipe, layer, everything, pass_, group, count, rng, tally):
    lowering = lower(layer, pass_)
    randoms = Randoms(0, layer.rank, pass_, None)
    stored = attribute(layer.group, 'loss_scale', 1.0)

    def operand(dataset, site):
        scaled = (stored, recipe.loss_scale) if dataset == 'grad_output' and recipe.loss_scale else ()
        delayed = name == 'transformer_engine'
        place = Place(randoms, site, earlier_amax(layer, everything, dataset) if delayed else 0.0)
        return recipe.operand(ROLES.get(dataset, dataset), real_values(layer.tensor(dataset), *scaled), place)

    a, b = operand(lowering.a, SITE_OPERAND_A), operand(lowering.b, SITE_OPERAND_B)
    scale = a.quantizer_scale * b.quantizer_scale
    found = group['output'][()].reshape(-1)
    codes = group['output_code'][()].reshape(-1)
    chosen = sorted({0, lowering.outputs - 1} | {rng.randrange(lowering.outputs) for _ in range(count)})
    for o in chosen:
        sum_ = evaluate(FP32, a, b, lowering.terms(o), Randoms(0, layer.rank, pass_, o)).value
        y, code = recipe.result(multiply(sum_, scale), pass_, randoms, o)
        if code is None and scale == 1:                       # else a code depends on the scale's unit, which is the program's own choice
            code = encode(sum_, FP32.levels[-1].format)
        wanted, got = to_float(y), float(found[o])
        ok = (wanted == got or (wanted != wanted and got != got)) and code in (None, int(codes[o]))
        tally[ok] += 1
        if not ok:
            print('FAILED %s: %s %s output %d: expected %r, found %r, code %x' % (name, layer.name, pass_, o, wanted, got, int(codes[o])), flush=True)


def compare_trace(accsim, name, recipe, path, last_step, count, rng, tally):
    with tempfile.TemporaryDirectory() as folder, h5py.File(path, 'r') as f:
        out = os.path.join(folder, 'run.h5')
        everything = [layer for layer in layers(f) if 'grad_output' in layer.group]
        if last_step:
            everything = [layer for layer in everything if layer.name.split('/')[0] == everything[-1].name.split('/')[0]]
        command = [accsim, 'run', '--recipe', name, *recipe.arguments, '--trace', path, '--out', out, '--quiet']
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
                    compare(name, recipe, layer, everything, pass_, group, count, rng, tally)


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
    parser.add_argument('--recipes', help='names, with commas')
    settings = parser.parse_args()
    tally = {True: 0, False: 0}
    with tempfile.TemporaryDirectory() as folder:
        traces = [path for path in settings.traces if os.path.exists(path)]
        for path in set(settings.traces) - set(traces):
            print('skipped: no ' + path)
        if settings.traces and not traces:
            sys.exit(77)
        names = settings.recipes.split(',') if settings.recipes else ['mellempudi2019', 'luq4'] if traces else list(RECIPES)
        if not traces:
            traces = [os.path.join(folder, 'small.h5'), os.path.join(folder, 'transformer.h5')]
            write_small_trace(traces[0])
            make_transformer_trace.write(traces[1], steps=(1, 40))
        for path in traces:
            for name in names:
                compare_trace(settings.accsim, name, RECIPES[name], path, settings.last_step, settings.outputs, random.Random(1), tally)
    print('%d passed, %d failed' % (tally[True], tally[False]))
    sys.exit(1 if tally[False] or not tally[True] else 0)


if __name__ == '__main__':
    main()
