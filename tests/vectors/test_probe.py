"""`accsim probe` reveals the parameters of the built-in matrix units, from the datapath and from vectors that another model filled in.

  test_probe.py ACCSIM

The expected parameters are those of the published table (arXiv 2511.10909; MATLAB-tensor-core b12b5a7), not of our files. What the formats of a
unit cannot show is None.
"""
import json
import os
import subprocess
import sys
import tempfile

from matrix_units import FORMATS, UNITS
from test_block_units import scale, st_fdpa

# unit: products an instruction, bits below the largest exponent, cut, fraction bits of results, their rounding, exponent of a zero
FUSED = {'volta_fp16_fp32': (4, 23, 23, 'rz', None), 'volta_fp16_fp16': (4, 23, 10, 'rne', -20),
         'turing_fp16_fp32': (8, 24, 23, 'rz', None), 'turing_fp16_fp16': (8, 24, 10, 'rne', -21),
         'ampere_fp16_fp32': (8, 24, 23, 'rz', None), 'ampere_fp16_fp16': (8, 24, 10, 'rne', -21), 'ampere_bf16_fp32': (8, 24, 23, 'rz', -132),
         'ampere_tf32_fp32': (4, 24, 23, 'rz', -132), 'ada_fp16_fp32': (8, 24, 23, 'rz', None), 'ada_bf16_fp32': (8, 24, 23, 'rz', -132),
         'ada_tf32_fp32': (4, 24, 23, 'rz', -132), 'ada_fp16_fp16': (8, 24, 10, 'rne', -21), 'ada_fp8_fp32': (16, 13, 13, 'rz', None),
         'ada_fp8_fp16': (16, 13, 10, 'rne', None), 'hopper_fp16_fp32': (16, 25, 23, 'rz', None), 'hopper_bf16_fp32': (16, 25, 23, 'rz', -133),
         'hopper_tf32_fp32': (8, 25, 23, 'rz', -133), 'hopper_fp16_fp16': (16, 25, 10, 'rne', None),
         'hopper_fp16_fp16_matlab': (16, 25, 10, 'rne', -21), 'hopper_fp8_fp32': (32, 13, 13, 'rz', None),
         'hopper_fp8_fp16': (32, 13, 10, 'rne', None), 'blackwell_fp16_fp32': (16, 25, 23, 'rz', None),
         'blackwell_bf16_fp32': (16, 25, 23, 'rz', -133), 'blackwell_tf32_fp32': (8, 25, 23, 'rz', -133),
         'blackwell_fp8_fp32': (32, 25, 23, 'rz', None), 'blackwell_fp8_fp16': (32, 25, 10, 'rne', None),
         'cdna3_fp16_fp32': (8, 24, 23, 'rne', None), 'cdna3_bf16_fp32': (8, 24, 23, 'rne', None), 'cdna3_xf32_fp32': (4, 24, 23, 'rne', None),
         'cdna3_fp8_fp32': (16, 24, 23, 'rne', None)}
# The same of block formats. Elements of 4 and 6 bits span too little to lose one under another, so that their sums show no order; scales bring
# the smallest results into reach. For MXFP4 and NVFP4 products count with the exponent of their scales, 4 below that of 4 times 4: 35 + 4.
BLOCKS = {'blackwell_mxfp8': (32, 25, 23, 'rz', -133), 'blackwell_mxfp6': (None, None, 23, None, None),
          'blackwell_mxfp4': (None, None, 23, None, None), 'blackwell_nvfp4': (None, None, 23, None, None)}
UNDER_PRODUCTS = {'blackwell_mxfp8': 25, 'blackwell_mxfp6': 25, 'blackwell_mxfp4': 39, 'blackwell_nvfp4': 39}
# unit: the tree of 8 products and C
TREES = {'cdna2_fp16_fp32': '((((0 1) (2 3)) C) ((4 5) (6 7)))', 'cdna2_bf16_fp32': '(((((0 1) C) (2 3)) (4 5)) (6 7))',
         'cdna1_fp16_fp32_pairwise': '((((0 1) (2 3)) C) ((4 5) (6 7)))', 'cdna1_fp16_fp32': 'exact sums of (0 1 2 3 C)',
         'cdna_fp32': '((((((((0 C) 1) 2) 3) 4) 5) 6) 7)', 'nvidia_fp64': '((((((((0 C) 1) 2) 3) 4) 5) 6) 7)',
         'kulisch': 'none: nothing is lost'}

passed = failed = 0


def accsim(*args):
    return subprocess.run([sys.argv[1], *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def equal(found, wanted, what):
    global passed, failed
    passed, failed = passed + (found == wanted), failed + (found != wanted)
    if found != wanted:
        print('FAILED %s: found %s, expected %s' % (what, found, wanted))


def parameters(report):
    below = report['product_below_products'] or {}
    return (report['group'], below.get('fraction_bits'), report['output_fraction_bits'], report['product_rounding'], report['zero_exponent'])


def probe(*args):
    done = accsim('probe', '--json', *args)
    if done.returncode != 0:
        print(' '.join(args) + ': ' + done.stderr)
        return None
    return json.loads(done.stdout)


def units_show_their_parameters():
    for unit, expected in FUSED.items():
        report = probe('--acc', unit)
        equal(report and parameters(report), expected, unit)
        if report is None:
            continue
        equal(report['product_below_products']['cut'], 'toward zero', unit + ' cut')
        cdna3 = unit.startswith('cdna3')
        equal(report['group_has_accumulator'], True, unit + ' takes C along')
        cut = report['accumulator_below_products']['cut']
        equal(cut, 'down' if cdna3 else 'toward zero', unit + ' cuts C')
        equal(report['accumulator_below_products']['fraction_bits'], expected[1], unit + ' keeps of C')


def block_formats_show_theirs():
    for unit, expected in BLOCKS.items():
        report = probe('--acc', unit)
        equal(report and parameters(report), expected, unit)
        equal(report and report['accumulator_below_products'], {'fraction_bits': UNDER_PRODUCTS[unit], 'probed': 70, 'cut': 'toward zero'}, unit)
        equal(report and report['accumulator_rounding'], 'rz', unit + ' rounding')
    equal(probe('--acc', 'blackwell_mxfp8', '--in', 'mxfp8_e5m2')['zero_exponent'], -133, 'mxfp8_e5m2: exponent of a zero')


def orders_of_sums_are_found():
    for unit, tree in TREES.items():
        options = ['--in', 'fp16'] if unit == 'kulisch' else []
        report = probe('--acc', unit, '--terms', '8', *options)
        equal(report and report['order'], tree, unit)
    report = probe('--acc', 'hopper_mma_fp8_fp32')
    first = ' '.join(str(k) for k in range(32) if k % 4 < 2)
    equal(report and report['order'].startswith('(' * 4 + first), True, 'hopper_mma_fp8_fp32: k mod 4 < 2 first')
    equal(report and (report['group'], report['group_has_accumulator'], report['product_rounding'], report['accumulator_rounding']),
          (16, False, 'rz', 'rne'), 'hopper_mma_fp8_fp32: C comes last')
    report = probe('--acc', 'fp16', '--in', 'fp16', '--terms', '8')
    equal(report and (report['order'], report['product_rounding'], report['accumulator_rounding']),
          ('((((((((0 C) 1) 2) 3) 4) 5) 6) 7)', None, 'rne'), 'one product after another: no sum of products alone is rounded once')


def fill_blocks(path, lines):
    """MXFP8 rows with the results of the model in test_block_units.py."""
    layout, names = FORMATS['ocp_e4m3'], lines[0].split(',')
    for i, line in enumerate(lines[1:], 1):
        row = dict(zip(names, line.split(',')))
        sides = [[(layout.decode(int(row['%s%d' % (side, k)], 16)), scale('mxfp8_e4m3', int(row['%s_scale%d' % (side, k // 32)], 16)))
                  for k in range(64)] for side in 'ab']
        c = int(row['acc_in'], 16)
        for k in (0, 32):
            c = st_fdpa(sides[0][k:k + 32], sides[1][k:k + 32], c)
        lines[i] = line + '%08x' % c
    with open(path, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')


def vectors_of_another_model_are_read(folder):
    """The results come from matrix_units.py, as from an RTL."""
    for name in ('ampere_fp16_fp32', 'volta_fp16_fp16', 'ada_fp8_fp32', 'hopper_bf16_fp32', 'cdna3_fp8_fp32'):
        unit, path = UNITS[name], os.path.join(folder, name + '.csv')
        done = accsim('probe', '--acc', name, '--emit', path)
        equal(done.returncode, 0, name + ' --emit ' + done.stderr)
        with open(path, encoding='utf-8') as f:
            lines = f.read().splitlines()
        head = next(i for i, line in enumerate(lines) if not line.startswith('#'))
        terms = sum(c.startswith('a') and c[1:].isdigit() for c in lines[head].split(','))
        a_layout, b_layout = (FORMATS[f] for f in unit.forms[0])
        for i in range(head + 1, len(lines)):
            cells = lines[i].split(',')
            a, b = ([layout.decode(int(x, 16)) for x in part] for layout, part in ((a_layout, cells[:terms]), (b_layout, cells[terms:2 * terms])))
            c = int(cells[2 * terms], 16)
            for k in range(0, terms, unit.terms):
                c = unit.step(a[k:k + unit.terms], b[k:k + unit.terms], c)
            lines[i] = ','.join(cells[:-1] + ['%0*x' % ((unit.result.bits + 3) // 4, c)])
        with open(path, 'w', encoding='utf-8') as f:
            f.write('\n'.join(lines) + '\n')
        # Only the formats of --acc count: a plain accumulator of the same formats is given.
        report = probe('--acc', unit.result_name, '--in', unit.forms[0][0], '--vectors', path)
        equal(report and parameters(report), FUSED[name], name + ' from vectors')
    blocks = os.path.join(folder, 'blocks.csv')
    equal(accsim('probe', '--acc', 'blackwell_mxfp8', '--emit', blocks).returncode, 0, 'blackwell_mxfp8 --emit')
    with open(blocks, encoding='utf-8') as f:
        lines = [line for line in f.read().splitlines() if not line.startswith('#')]
    fill_blocks(blocks, lines)
    report = probe('--acc', 'fp32', '--in', 'mxfp8_e4m3', '--vectors', blocks)
    equal(report and parameters(report), BLOCKS['blackwell_mxfp8'], 'blackwell_mxfp8 from vectors')
    with open(path, encoding='utf-8') as f:
        lines = f.read().splitlines()
    for change, what in ((lines[:-1], 'rows'), (lines[:-1] + [lines[-1].rsplit(',', 1)[0] + ','], 'acc_out'),
                         (lines[:3] + [lines[4]] + lines[4:], 'row 0')):
        with open(path, 'w', encoding='utf-8') as f:
            f.write('\n'.join(change) + '\n')
        done = accsim('probe', '--acc', 'cdna3_fp8_fp32', '--vectors', path)
        equal((done.returncode, what in done.stderr), (3, True), 'vectors with wrong %s: %s' % (what, done.stderr))


def what_cannot_be_probed_is_refused():
    for args, status in ((('--acc', 'int8_int32'), 3), (('--acc', 'fp32'), 2), (('--acc', 'ampere_fp16_fp32', '--terms', '2'), 2),
                         (('--acc', 'blackwell_nvfp4', '--in', 'mxint8'), 3)):
        equal(accsim('probe', *args).returncode, status, 'probe ' + ' '.join(args))


def main():
    units_show_their_parameters()
    block_formats_show_theirs()
    orders_of_sums_are_found()
    with tempfile.TemporaryDirectory() as folder:
        vectors_of_another_model_are_read(folder)
    what_cannot_be_probed_is_refused()
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
