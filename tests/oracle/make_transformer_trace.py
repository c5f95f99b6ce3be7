"""Writes the trace of a small transformer block in training: linear layers and attention matmuls with all their gradients.

  make_transformer_trace.py OUT.h5

Self-attention with two heads and a feed-forward layer, both with residuals, trained by gradient descent towards random targets. Forward and
backward are written out here in binary64, layer by layer; gradients are stored under a loss scale, everything as binary32.
"""
import sys

import h5py
import numpy

BATCH, TOKENS, HEADS, WIDTH, HIDDEN = 2, 7, 2, 12, 20
LOSS_SCALE = 128.0
STEPS = (1, 2, 40)
LEARNING_RATE = 0.2
WEIGHTS = {'query': (WIDTH, WIDTH), 'key': (WIDTH, WIDTH), 'value': (WIDTH, WIDTH), 'project': (WIDTH, WIDTH),
           'up': (HIDDEN, WIDTH), 'down': (WIDTH, HIDDEN)}


def initial(seed=3):
    """(weights, input, target)."""
    rng = numpy.random.default_rng(seed)
    weights = {name: rng.normal(0, shape[1] ** -0.5, shape) for name, shape in WEIGHTS.items()}
    return weights, rng.normal(size=(BATCH, TOKENS, WIDTH)), rng.normal(size=(BATCH, TOKENS, WIDTH))


def heads(x):
    """[batch, tokens, width] to [batch, heads, tokens, width of a head]."""
    return x.reshape(BATCH, TOKENS, HEADS, -1).swapaxes(1, 2)


def joined(x):
    return x.swapaxes(1, 2).reshape(BATCH, TOKENS, -1)


def forward(weights, x, target):
    """What every layer takes and gives, and the loss: half the mean square of output less target."""
    t = {'x': x}
    for name in ('query', 'key', 'value'):
        t[name] = x @ weights[name].T
    t['scores'] = heads(t['query']) @ heads(t['key']).swapaxes(2, 3)
    scaled = t['scores'] * (WIDTH // HEADS) ** -0.5
    e = numpy.exp(scaled - scaled.max(axis=-1, keepdims=True))
    t['attention'] = e / e.sum(axis=-1, keepdims=True)
    t['mixed'] = t['attention'] @ heads(t['value'])
    t['project'] = joined(t['mixed']) @ weights['project'].T
    t['middle'] = x + t['project']
    t['up'] = t['middle'] @ weights['up'].T
    t['active'] = numpy.maximum(t['up'], 0)
    t['down'] = t['active'] @ weights['down'].T
    t['error'] = t['middle'] + t['down'] - target
    return t, 0.5 * numpy.mean(t['error'] ** 2)


def weight_gradient(output_gradient, layer_input):
    return output_gradient.reshape(-1, output_gradient.shape[-1]).T @ layer_input.reshape(-1, layer_input.shape[-1])


def backward(weights, t):
    """Layers in execution order: name -> (op, datasets, attributes), gradients without loss scale."""
    layers = {}

    def linear(name, layer_input, g):
        layers[name] = ('linear', {'input': layer_input, 'weight': weights[name], 'output': t[name], 'grad_output': g,
                                   'grad_input': g @ weights[name], 'grad_weight': weight_gradient(g, layer_input)}, {})
        return layers[name][1]['grad_input']

    g = t['error'] / t['error'].size
    g_active = linear('down', t['active'], g)
    g_middle = g + linear('up', t['middle'], g_active * (t['up'] > 0))
    g_mixed = heads(linear('project', joined(t['mixed']), g_middle))
    value = heads(t['value'])
    g_attention, g_value = g_mixed @ value.swapaxes(2, 3), t['attention'].swapaxes(2, 3) @ g_mixed
    layers['pv'] = ('matmul', {'a': t['attention'], 'b': value, 'output': t['mixed'], 'grad_output': g_mixed, 'grad_a': g_attention,
                               'grad_b': g_value}, {})
    p = t['attention']
    g_scores = p * (g_attention - (g_attention * p).sum(axis=-1, keepdims=True)) * (WIDTH // HEADS) ** -0.5
    query, key = heads(t['query']), heads(t['key'])
    g_query, g_key = g_scores @ key, g_scores.swapaxes(2, 3) @ query
    layers['qk'] = ('matmul', {'a': query, 'b': key, 'output': t['scores'], 'grad_output': g_scores, 'grad_a': g_query, 'grad_b': g_key},
                    {'transpose_b': True})
    for name, of_heads in (('value', g_value), ('key', g_key), ('query', g_query)):
        linear(name, t['x'], joined(of_heads))
    order = ('query', 'key', 'value', 'qk', 'pv', 'project', 'up', 'down')
    return {name: layers[name] for name in order}


def write(path, steps=STEPS):
    weights, x, target = initial()
    with h5py.File(path, 'w', track_order=True) as f:
        for step in range(1, max(steps) + 1):
            layers = backward(weights, forward(weights, x, target)[0])
            if step in steps:
                parent = f.create_group('step_%06d' % step, track_order=True)
                for name, (op, datasets, attributes) in layers.items():
                    group = parent.create_group(name)
                    group.attrs.update({'op': op, 'loss_scale': LOSS_SCALE, **attributes})
                    for key, value in datasets.items():
                        group[key] = (value * (LOSS_SCALE if key.startswith('grad') else 1)).astype(numpy.float32)
            for name in WEIGHTS:
                weights[name] = weights[name] - LEARNING_RATE * layers[name][1]['grad_weight']


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(sys.argv[1])
