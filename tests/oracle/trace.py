"""Reads accsim-trace/1 files and lowers a layer's passes to dot products, in the contract's term order.

  layers(h5_file)           -> [Layer, ...] in execution order; Layer.rank is the place in that order
  layer.tensor(name)        -> Tensor: elements by flat row-major index, raw codes decoded, scales apart
  lower(layer, pass)        -> Lowering: which datasets are the operands, the result's shape, the terms of every output

Contracts, section 2. Nothing here rounds, except that Operand enters a dataset whose scale varies along a summed axis in
binary64, as the contract says.
"""
from fractions import Fraction
from itertools import product as all_indices
from math import prod

import h5py
import numpy

from formats import decode, is_special, parse_format


def from_float(v):
    """A binary64 number as a Fraction, or as one of the strings of formats.py."""
    v = float(v)
    if v != v:
        return 'nan'
    if v in (float('inf'), float('-inf')):
        return 'inf' if v > 0 else '-inf'
    if v == 0:
        return '-0' if numpy.signbit(v) else Fraction(0)
    return Fraction(v)


def to_float(number):
    """The number correctly rounded to binary64."""
    if is_special(number):
        return {'-0': -0.0, 'inf': float('inf'), '-inf': float('-inf'), 'nan': float('nan')}[number]
    try:
        return float(number)
    except OverflowError:
        return float('inf') if number > 0 else float('-inf')


def multiply(x, y):
    """The exact product of two numbers, signs of zeros and infinities as in IEEE 754."""
    if not is_special(x) and not is_special(y) and x and y:
        return x * y
    if x == 'nan' or y == 'nan':
        return 'nan'
    negative = (x in ('-0', '-inf') or (not is_special(x) and x < 0)) != (y in ('-0', '-inf') or (not is_special(y) and y < 0))
    x_zero, y_zero = x in ('-0', 0), y in ('-0', 0)
    if x in ('inf', '-inf') or y in ('inf', '-inf'):
        return 'nan' if x_zero or y_zero else ('-inf' if negative else 'inf')
    return '-0' if negative else Fraction(0)


def attribute(item, name, default=None):
    """An attribute as a plain Python value or list; one-element arrays count as scalars."""
    if name not in item.attrs:
        return default
    value = item.attrs[name]
    if isinstance(value, numpy.ndarray):
        value = value.reshape(-1).tolist()
        value = value[0] if len(value) == 1 else value
    elif isinstance(value, numpy.generic):
        value = value.item()
    return value.decode() if isinstance(value, bytes) else value


def as_list(value):
    return value if isinstance(value, list) else [value]


class Tensor:
    """One dataset. `unscaled(i)` is decode(code) - zero_point (or the stored float), `scale(i)` its exact scale."""

    def __init__(self, dataset):
        self.shape = dataset.shape
        data = dataset[()].reshape(-1)
        name = attribute(dataset, 'format')
        self.format = parse_format(name) if name else None
        if self.format:
            codes, self.places = numpy.unique(data, return_inverse=True)
            self.numbers = [decode(int(c) & ((1 << self.format.bits) - 1), self.format) for c in codes]
        else:
            self.numbers, self.places = None, data.astype(numpy.float64)
        self.scales = [Fraction(s) for s in as_list(attribute(dataset, 'scale', 1.0))]
        self.zero_points = [Fraction(z) for z in as_list(attribute(dataset, 'zero_point', 0))]
        axis = attribute(dataset, 'axis', 0)
        self.axis = axis if axis >= 0 else axis + len(self.shape)

    def channel(self, i):
        """The index along `axis` of element i."""
        return i // prod(self.shape[self.axis + 1:]) % self.shape[self.axis]

    def scale(self, i):
        return self.scales[0] if len(self.scales) == 1 else self.scales[self.channel(i)]

    def unscaled(self, i):
        if self.numbers is None:
            return from_float(self.places[i])
        number = self.numbers[self.places[i]]
        zero_point = self.zero_points[0] if len(self.zero_points) == 1 else self.zero_points[self.channel(i)]
        if not zero_point:
            return number
        if is_special(number):
            return -zero_point if number == '-0' else number
        return number - zero_point

    def scale_varies_along(self, axes):
        return len(set(self.scales)) > 1 and self.axis in axes


class Entered:
    """A tensor as it enters a pass that sums over `summed_axes`: x(i) is the operand, scale(i) multiplies the result."""

    def __init__(self, tensor, summed_axes):
        self.tensor = tensor
        self.scale_is_inside = tensor.scale_varies_along(summed_axes)
        self.format = None if self.scale_is_inside else tensor.format

    def x(self, i):
        if not self.scale_is_inside:
            return self.tensor.unscaled(i)
        return from_float(to_float(self.tensor.unscaled(i)) * float(self.tensor.scale(i)))

    def scale(self, i):
        return Fraction(1) if self.scale_is_inside else self.tensor.scale(i)

    def amax(self):
        """max|x| over the finite elements, in binary64; 0 where there are none."""
        tensor, finite = self.tensor, 0.0
        if tensor.numbers is None:
            magnitudes = numpy.abs(tensor.places)
            return float(magnitudes[numpy.isfinite(magnitudes)].max(initial=0.0))
        per_channel = len(tensor.scales) > 1 or len(tensor.zero_points) > 1
        seen = {}                                  # one element of every (code, channel) that occurs
        for i in range(len(tensor.places)):
            seen.setdefault((tensor.places[i], tensor.channel(i) if per_channel else 0), i)
        for i in seen.values():
            x = abs(to_float(self.x(i)))
            finite = max(finite, x) if x < float('inf') else finite
        return finite


class Layer:
    def __init__(self, group, name, rank):
        self.group, self.name, self.rank, self.op = group, name, rank, attribute(group, 'op')
        self.tensors = {}

    def tensor(self, name):
        if name not in self.tensors:
            self.tensors[name] = Tensor(self.group[name])
        return self.tensors[name]

    def passes(self):
        return ['fprop', 'dgrad', 'wgrad'] if 'grad_output' in self.group else ['fprop']

    def shape(self, name):
        return self.group[name].shape


def layers(h5_file):
    found = []

    def visit(group, path):
        if isinstance(attribute(group, 'op'), str):
            found.append(Layer(group, path, len(found)))
        # h5py lists members in creation order where that is tracked, else by name.
        subgroups = [(name, group[name]) for name in group if isinstance(group.get(name), h5py.Group)]
        subgroups.sort(key=lambda item: (0, attribute(item[1], 'index')) if 'index' in item[1].attrs else (1, 0))
        for name, subgroup in subgroups:
            visit(subgroup, path + '/' + name if path else name)

    visit(h5_file['/'], '')                        # h5py lists a File object itself by name always
    return found


def unflatten(i, shape):
    index = []
    for n in reversed(shape):
        index.append(i % n)
        i //= n
    return tuple(reversed(index))


def flatten(index, shape):
    i = 0
    for k, n in zip(index, shape):
        i = i * n + k
    return i


class Lowering:
    """One pass of one layer: `terms(o)` lists the flat indices (into a, into b) of output o; None is a zero operand.

    `a_axes` and `b_axes` are the axes of the two datasets that the pass sums over; `mnk_batch` the report's shape.
    """

    def __init__(self, a, a_axes, b, b_axes, out_shape, mnk_batch, terms):
        self.a, self.a_axes, self.b, self.b_axes = a, set(a_axes), b, set(b_axes)
        self.out_shape, self.mnk_batch, self.terms = tuple(out_shape), mnk_batch, terms
        self.outputs, self.k = prod(out_shape), mnk_batch[2]


def lower(layer, pass_):
    return {'linear': lower_linear, 'matmul': lower_matmul, 'conv2d': lower_conv2d}[layer.op](layer, pass_)


def lower_linear(layer, pass_):
    lead = layer.shape('input')[:-1]
    axes = range(len(lead))
    N, K = layer.shape('weight')
    rows = prod(lead)

    def fprop(o):
        row, n = divmod(o, N)
        return [(row * K + k, n * K + k) for k in range(K)]

    def dgrad(o):
        row, k = divmod(o, K)
        return [(row * N + n, n * K + k) for n in range(N)]

    def wgrad(o):
        n, k = divmod(o, K)
        return [(row * N + n, row * K + k) for row in range(rows)]

    if pass_ == 'fprop':
        return Lowering('input', [len(lead)], 'weight', [1], lead + (N,), (rows, N, K, 1), fprop)
    if pass_ == 'dgrad':
        return Lowering('grad_output', [len(lead)], 'weight', [0], lead + (K,), (rows, K, N, 1), dgrad)
    return Lowering('grad_output', axes, 'input', axes, (N, K), (N, K, rows, 1), wgrad)


def lower_conv2d(layer, pass_):
    B, C, H, W = layer.shape('input')
    K, Cg, R, S = layer.shape('weight')
    stride, dilation = (as_list(attribute(layer.group, name, 1)) for name in ('stride', 'dilation'))
    (sh, sw), (dh, dw) = (2 * v if len(v) == 1 else v for v in (stride, dilation))
    padding = as_list(attribute(layer.group, 'padding', 0))
    top, left, bottom, right = {1: 4 * padding, 2: 2 * padding, 4: padding}[len(padding)]
    groups = attribute(layer.group, 'groups', 1)
    Kg = K // groups
    P = (H + top + bottom - dh * (R - 1) - 1) // sh + 1
    Q = (W + left + right - dw * (S - 1) - 1) // sw + 1
    x_shape, w_shape, y_shape = (B, C, H, W), (K, Cg, R, S), (B, K, P, Q)
    one_channel, one_output = Cg == 1, Kg == 1        # then nothing is summed over that axis

    def x_at(b, c, p, q, r, s):
        h, w = p * sh + r * dh - top, q * sw + s * dw - left
        return flatten((b, c, h, w), x_shape) if 0 <= h < H and 0 <= w < W else None

    def fprop(o):
        b, k, p, q = unflatten(o, y_shape)
        first = k // Kg * Cg
        return [(x_at(b, first + c, p, q, r, s), flatten((k, c, r, s), w_shape))
                for c in range(Cg) for r in range(R) for s in range(S)]

    def dgrad(o):
        b, channel, h, w = unflatten(o, x_shape)
        group, c = divmod(channel, Cg)
        terms = []
        for k in range(group * Kg, (group + 1) * Kg):
            for r in range(R):
                for s in range(S):
                    p, p_rest = divmod(h + top - r * dh, sh)
                    q, q_rest = divmod(w + left - s * dw, sw)
                    inside = p_rest == 0 and q_rest == 0 and 0 <= p < P and 0 <= q < Q
                    terms.append((flatten((b, k, p, q), y_shape) if inside else None, flatten((k, c, r, s), w_shape)))
        return terms

    def wgrad(o):
        k, c, r, s = unflatten(o, w_shape)
        channel = k // Kg * Cg + c
        return [(flatten((b, k, p, q), y_shape), x_at(b, channel, p, q, r, s))
                for b in range(B) for p in range(P) for q in range(Q)]

    if pass_ == 'fprop':
        x_axes, w_axes = ([2, 3], [2, 3]) if one_channel else ([1, 2, 3], [1, 2, 3])
        return Lowering('input', x_axes, 'weight', w_axes, y_shape, (B * P * Q, Kg, Cg * R * S, groups), fprop)
    if pass_ == 'dgrad':
        y_axes, w_axes = ([2, 3], [2, 3]) if one_output else ([1, 2, 3], [0, 2, 3])
        return Lowering('grad_output', y_axes, 'weight', w_axes, x_shape, (B * H * W, Cg, Kg * R * S, groups), dgrad)
    return Lowering('grad_output', [0, 2, 3], 'input', [0, 2, 3], w_shape, (Kg, Cg * R * S, B * P * Q, groups), wgrad)


class Matrix:
    """A matmul operand: batch dimensions (broadcast to `batch`) and two logical axes, stored swapped if `transposed`."""

    def __init__(self, shape, transposed):
        self.shape, self.batch, self.transposed = tuple(shape), tuple(shape[:-2]), transposed
        self.rows, self.columns = (shape[-1], shape[-2]) if transposed else (shape[-2], shape[-1])
        last = len(shape) - 1
        self.row_axis, self.column_axis = (last, last - 1) if transposed else (last - 1, last)

    def at(self, full_batch_index, row, column):
        own = full_batch_index[len(full_batch_index) - len(self.batch):]
        own = tuple(0 if n == 1 else k for k, n in zip(own, self.batch))
        return flatten(own + ((column, row) if self.transposed else (row, column)), self.shape)

    def axes_spread_over(self, full_batch, other):
        """Own batch axes of more than one element over which `other` is broadcast."""
        missing = len(full_batch) - len(other.batch)
        other_sizes = (1,) * missing + other.batch
        own_sizes = self.batch
        offset = len(full_batch) - len(own_sizes)
        return [axis for axis, n in enumerate(own_sizes) if n > 1 and other_sizes[axis + offset] == 1]


def lower_matmul(layer, pass_):
    a = Matrix(layer.shape('a'), bool(attribute(layer.group, 'transpose_a', False)))
    b = Matrix(layer.shape('b'), bool(attribute(layer.group, 'transpose_b', False)))
    batch = numpy.broadcast_shapes(a.batch, b.batch)
    M, K, N = a.rows, a.columns, b.columns
    y = Matrix(batch + (M, N), False)

    def fprop(o):
        index = unflatten(o, y.shape)
        return [(a.at(index[:-2], index[-2], k), b.at(index[:-2], k, index[-1])) for k in range(K)]

    def batches_of(matrix, o):
        """The full batch indices, row-major, that share the element o of a gradient, and its logical row and column."""
        index = unflatten(o, matrix.shape)
        own = (0,) * (len(batch) - len(matrix.batch)) + index[:-2]
        sizes = (1,) * (len(batch) - len(matrix.batch)) + matrix.batch
        ranges = [range(full) if size == 1 else [k] for k, size, full in zip(own, sizes, batch)]
        row, column = (index[-1], index[-2]) if matrix.transposed else (index[-2], index[-1])
        return list(all_indices(*ranges)), row, column

    def grad_a(o):
        shared, m, k = batches_of(a, o)
        return [(y.at(i, m, n), b.at(i, k, n)) for i in shared for n in range(N)]

    def grad_b(o):
        shared, k, n = batches_of(b, o)
        return [(y.at(i, m, n), a.at(i, m, k)) for i in shared for m in range(M)]

    if pass_ == 'fprop':
        return Lowering('a', [a.column_axis], 'b', [b.row_axis], y.shape, (M, N, K, prod(batch)), fprop)
    if pass_ == 'dgrad':
        spread = prod(batch) // prod(a.batch)
        return Lowering('grad_output', [y.column_axis] + y.axes_spread_over(batch, a),
                        'b', [b.column_axis] + b.axes_spread_over(batch, a),
                        a.shape, (M, K, N * spread, prod(a.batch)), grad_a)
    spread = prod(batch) // prod(b.batch)
    return Lowering('grad_output', [y.row_axis] + y.axes_spread_over(batch, b),
                    'a', [a.row_axis] + a.axes_spread_over(batch, b),
                    b.shape, (N, K, M * spread, prod(b.batch)), grad_b)
