"""Writes a small synthetic accsim-trace/1 file that covers every operation and attribute of the contracts, section 2.

  make_small_trace.py OUT.h5 [SEED]

A few hundred outputs: linear with several leading dimensions, matmul with both transposes and broadcast batches, conv2d
with groups, depthwise, dilation, stride and asymmetric padding; raw codes with per-channel scale and zero_point along
summed and unsummed axes; 2, 4 and 8 byte floats of either byte order; NaN, infinities, subnormals and -0; gradients with
a loss scale; chunked, compressed, checksummed and linked datasets; attributes of many types; all three kinds of order.
"""
import sys

import h5py
import numpy


def normal(rng, *shape, size=1.0):
    return (size * rng.standard_normal(shape)).astype(numpy.float32)


def codes(rng, shape, low, high, dtype):
    """Random codes of a signed format: a random magnitude code in [low, high) under a random sign bit."""
    magnitudes = rng.integers(low, high, shape)
    return (magnitudes + 128 * rng.integers(0, 2, shape)).astype(dtype)


def layer(parent, name, op, datasets, **attributes):
    group = parent.create_group(name)
    group.attrs['op'] = op
    for key, value in attributes.items():
        group.attrs[key] = value
    for key, value in datasets.items():
        group[key] = value
    return group


def describe(dataset, **attributes):
    for key, value in attributes.items():
        dataset.attrs[key] = value


def float_layers(parent, rng):
    layer(parent, 'linear_many_dims', 'linear', {
        'input': normal(rng, 2, 3, 21), 'weight': normal(rng, 5, 21), 'bias': normal(rng, 5),
        'grad_output': normal(rng, 2, 3, 5, size=64)}, index=numpy.int8(3), loss_scale=64.0)
    layer(parent, 'conv_groups_asymmetric', 'conv2d', {
        'input': normal(rng, 2, 4, 6, 5), 'weight': normal(rng, 6, 2, 3, 2), 'bias': normal(rng, 6),
        'grad_output': normal(rng, 2, 6, 4, 4, size=1024)},
        index=numpy.uint16(0), loss_scale=numpy.float32(1024), groups=numpy.array([2], numpy.int16),
        stride=numpy.array([2, 1], numpy.int64), dilation=numpy.array([1, 2], numpy.uint8),
        padding=numpy.array([1, 0, 2, 1], numpy.int32))
    layer(parent, 'conv_depthwise', 'conv2d', {
        'input': normal(rng, 1, 3, 5, 5), 'weight': normal(rng, 3, 1, 3, 3), 'grad_output': normal(rng, 1, 3, 3, 3)},
        index=numpy.uint64(1), groups=3, stride=2, padding=1)
    layer(parent, 'conv_defaults', 'conv2d', {
        'input': normal(rng, 1, 2, 3, 3), 'weight': normal(rng, 2, 2, 2, 2), 'grad_output': normal(rng, 1, 2, 2, 2)},
        index=2)


def matmul_layers(parent, rng):
    layer(parent, 'z_broadcast', 'matmul', {
        'a': normal(rng, 2, 1, 3, 6), 'b': normal(rng, 3, 4, 6), 'grad_output': normal(rng, 2, 3, 3, 4, size=8)},
        transpose_b=True, loss_scale=8)
    layer(parent, 'y_transposed', 'matmul', {
        'a': normal(rng, 2, 5, 3), 'b': normal(rng, 1, 4, 5), 'grad_output': normal(rng, 2, 3, 4)},
        transpose_a=numpy.uint8(1), transpose_b=numpy.array([1], numpy.int8))
    layer(parent, 'x_plain', 'matmul', {'a': normal(rng, 3, 19), 'b': normal(rng, 19, 2)}, transpose_a=False)


def code_layers(parent, rng):
    fp8 = layer(parent, 'fp8_codes', 'linear', {
        'input': codes(rng, (4, 23), 0, 0x7f, numpy.uint8), 'weight': rng.integers(-128, 128, (3, 23)).astype(numpy.int8),
        'grad_output': codes(rng, (4, 3), 0, 0x7c, numpy.uint16)}, loss_scale=1024.0)
    describe(fp8['input'], format='e4m3', scale=2.0 ** -6)
    describe(fp8['weight'], format=numpy.bytes_('int8'), axis=numpy.int16(0), scale=numpy.array([0.01, 0.0625, 3e-3]),
             zero_point=numpy.array([3, 0, -7], numpy.int8))
    describe(fp8['grad_output'], format='OCP_E5M2', scale=numpy.array([0.1], numpy.float64))

    image = layer(parent, 'uint8_image', 'conv2d', {
        'input': rng.integers(0, 256, (1, 3, 4, 4)).astype(numpy.uint8),
        'weight': rng.integers(0, 256, (2, 3, 2, 2)).astype(numpy.uint8), 'grad_output': normal(rng, 1, 2, 4, 5)},
        padding=numpy.array([1, 1, 0, 1]))
    describe(image['input'], format='uint8', scale=1 / 255, zero_point=numpy.int32(128))
    describe(image['weight'], format='int8', scale=numpy.array([0.02, 0.03]), axis=0, zero_point=numpy.int64(-2))

    channels = layer(parent, 'input_scaled_by_channel', 'conv2d', {
        'input': rng.integers(0, 16, (2, 3, 3, 3)).astype(numpy.uint8),
        'weight': rng.integers(-8, 8, (2, 3, 2, 2)).astype(numpy.int32), 'grad_output': normal(rng, 2, 2, 2, 2)})
    describe(channels['input'], format='uint4', scale=numpy.array([0.1, 0.2, 0.3], numpy.float32), axis=1,
             zero_point=numpy.array([8, 7, 6]))
    describe(channels['weight'], format='int4', scale=numpy.float32(0.5))

    fixed = layer(parent, 'fixed_point', 'matmul', {
        'a': rng.integers(-2 ** 11, 2 ** 11, (3, 17)).astype(numpy.int16),
        'b': rng.integers(0, 2 ** 6, (17, 3)).astype(numpy.uint8), 'grad_output': normal(rng, 3, 3)})
    describe(fixed['a'], format='s12.8')
    describe(fixed['b'], format='u6.7', scale=2.0)

    extremes = layer(parent, 'int8_overflows', 'linear', {
        'input': rng.choice([-128, 127, 100, -100, 0, 1], (3, 70)).astype(numpy.int8),
        'weight': rng.choice([-128, 127, 90, -90], (4, 70)).astype(numpy.int8)})
    extremes['input'][0, :] = 127
    extremes['weight'][0, :] = 127
    describe(extremes['input'], format='int8', scale=0.125)
    describe(extremes['weight'], format='int8')


def odd_layers(parent, rng):
    group = layer(parent, 'half_and_double', 'linear', {'input': normal(rng, 3, 18).astype('<f2')})
    group.create_dataset('weight', data=(normal(rng, 4, 18) * 1.1).astype('>f8'), chunks=(2, 5), compression='gzip',
                         shuffle=True, fletcher32=True)
    group.create_dataset('grad_output', data=normal(rng, 3, 4).astype('>f2'), chunks=(3, 2))
    linked = layer(parent, 'linked_weight', 'linear', {'input': normal(rng, 2, 18, size=100).astype('>f4')})
    linked['weight'] = h5py.SoftLink(group.name + '/weight')

    special = layer(parent, 'special_values', 'linear', {
        'input': normal(rng, 6, 5), 'weight': normal(rng, 4, 5), 'grad_output': normal(rng, 6, 4)})
    x, w = special['input'], special['weight']
    x[0, :] = [numpy.nan, 1, 2, 3, 4]
    x[1, :] = [numpy.inf, 1, 2, -3, 4]
    x[2, :] = [-numpy.inf, 1, numpy.inf, 3, 4]
    x[3, :] = [1e-40, -1e-45, 3e-39, 1e-30, -0.0]
    x[4, :] = [-0.0, -0.0, -0.0, 0.0, -0.0]
    x[5, :] = [3e38, 3e38, -3e38, 1, 60000]
    w[0, :] = [1, 2, 3, 4, 5]
    w[1, :] = [0, 1, 1, 1, 1]
    w[2, :] = [1e-3, 1e-4, 7e-5, -1e-6, 1e-7]

    bytes_ = layer(parent, 'special_codes', 'linear', {
        'input': numpy.array([[0x7f, 0x80, 0x01], [0x7e, 0xfe, 0x08], [0x07, 0x87, 0x00]], numpy.uint8),
        'weight': numpy.array([[0x7c, 0x3c, 0x01], [0x80, 0xbc, 0x03], [0x7b, 0x7b, 0x04]], numpy.uint8)})
    describe(bytes_['input'], format='e4m3:specials=fn', scale=0.5)
    describe(bytes_['weight'], format='e5m2')

    cancel = layer(parent, 'cancelling', 'linear', {'input': normal(rng, 3, 40), 'weight': normal(rng, 3, 40)})
    cancel['input'][:, 20:] = cancel['input'][:, :20]
    cancel['weight'][:, 20:] = -cancel['weight'][:, :20]
    layer(parent, 'all_zero', 'linear', {'input': numpy.zeros((2, 3), 'f4'), 'weight': normal(rng, 2, 3)})


def write(path, seed=20240607):
    rng = numpy.random.default_rng(seed)
    with h5py.File(path, 'w', track_order=True) as f:
        f.attrs['schema'] = numpy.bytes_('accsim-trace/1')
        float_layers(f.create_group('step_000010'), rng)                      # ordered by index
        matmul_layers(f.create_group('by_creation', track_order=True), rng)   # z, y, x
        code_layers(f.create_group('by_name'), rng)
        odd_layers(f.create_group('a_last/nested'), rng)


if __name__ == '__main__':
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    write(sys.argv[1], *map(int, sys.argv[2:]))
