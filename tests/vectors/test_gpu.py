"""Captured results of real GPUs through `accsim check`: every row must match bit for bit.

  test_gpu.py ACCSIM [FOLDER]   FOLDER holds manifest.tsv and the .csv.gz and .toml files that it names

Says so and skips (exit 77) without the folder.
"""
import csv
import gzip
import os
import shutil
import subprocess
import sys
import tempfile


def built_in(csv_name):
    """The built-in datapath of a captured unit, and the operand formats that it is given."""
    gpu, operands, result = csv_name.split('.')[0].split('_')
    arch = {'v100': 'volta', 'a100': 'ampere', 'l40s': 'ada'}[gpu]
    is_fp8 = operands in ('e4m3', 'e5m2')
    return ['%s_%s_%s' % (arch, 'fp8' if is_fp8 else operands, result)] + (['--in', 'ocp_' + operands] if is_fp8 else [])


def main():
    accsim, folder = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ''
    if not os.path.exists(os.path.join(folder, 'manifest.tsv')):
        print('skipped: no captured GPU results beside the project')
        return 77
    passed = failed = 0
    with open(os.path.join(folder, 'manifest.tsv'), encoding='utf-8') as manifest, tempfile.TemporaryDirectory() as scratch:
        for row in csv.DictReader(manifest, delimiter='\t'):
            plain = os.path.join(scratch, 'vectors.csv')
            with gzip.open(os.path.join(folder, row['csv'])) as packed, open(plain, 'wb') as unpacked:
                shutil.copyfileobj(packed, unpacked)
            for datapath in ([os.path.join(folder, row['toml'])], built_in(row['csv'])):
                done = subprocess.run([accsim, 'check', '--vectors', plain, '--acc', *datapath], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, check=False)
                last = (done.stdout.splitlines() or [''])[-1]
                ok = done.returncode == 0 and last == '%s of %s rows match' % (row['rows'], row['rows'])
                print('%s as %s: %s %s' % (row['csv'], os.path.basename(datapath[0]), last, done.stderr.strip()))
                passed, failed = passed + ok, failed + (not ok)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
