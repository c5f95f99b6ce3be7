"""Signal-to-noise ratios of quantized Gaussians against published models: clipped outputs and optimally clipped tensors.

Nothing is random: the Gaussian is N values, each the root mean square of an N-th of the distribution. The outermost stand for whole tails, which
makes clipping noise, all that is left at many bits, a few percent off.
"""

import math
import statistics

import h5py
import numpy as np

from harness import case, expect, main, report

SAMPLES = 1 << 16


def gaussian():
    normal = statistics.NormalDist()
    ends = [normal.inv_cdf(i / SAMPLES) for i in range(SAMPLES // 2, SAMPLES)]
    moments = np.array([z * normal.pdf(z) for z in ends] + [0.0])  # E[x^2; z < x] = 1 - cdf(z) + z pdf(z)
    half = np.sqrt(1 - np.diff(moments) * SAMPLES)
    return np.concatenate([-half[::-1], half])


def trace(folder, values):
    """Each value is the one term of an output."""
    with h5py.File(folder + "/t.h5", "w") as file:
        layer = file.create_group("adc")
        layer.attrs["op"] = "linear"
        layer["input"], layer["weight"] = values[:, None], np.ones((1, 1))
    return folder + "/t.h5"


@case("an output clipped at 4 sigma has the SQNR that Gonugondla et al. derive, on the line 6.02 B - 7.27 dB up to about 8 bits only")
def clipped_output(folder):
    # arXiv 2012.13645: full scale 4 sigma, so sigma = 1/4 for the range [-1, 1); uniform noise and clipping noise together
    path = trace(folder, gaussian() / 4)
    for bits, decibels, off in ((4, 16.81, 0.05), (6, 28.83, 0.05), (7, 34.79, 0.05), (8, 40.58, 0.1), (9, 45.76, 0.3), (10, 49.48, 0.6)):
        run = report("--acc", "s%d.%d" % (bits, bits - 1), "--rounding", "rna", "--overflow", "saturate", "--trace", path)
        found = run["layers"][0]["error"]["sndr_db"]
        expect(abs(found - decibels) <= off, bits, found, decibels)
        line = 10 * math.log10(3 * 4**bits / 16)
        expect(abs(line - found) < 0.06 if bits < 7 else line - found > 0.05, bits, found, line)


@case("a Gaussian clipped at the published optimum has the published error, and a tighter or wider clip has more")
def optimal_clipping(folder):
    # charbel-sakr/SP-Methods-for-IMC 306fb68: clip at zeta sigma; mean square error over variance zeta^2 4^-B / 3 + clipping noise
    path = trace(folder, gaussian())
    table = ((2, 1.7106, 8.71e-2), (3, 2.1516, 3.14e-2), (4, 2.5591, 1.05e-2), (5, 2.9362, 3.32e-3), (6, 3.2869, 1.01e-3),
             (7, 3.6151, 3.00e-4), (8, 3.9240, 8.71e-5), (9, 4.2163, 2.48e-5), (10, 4.4942, 6.98e-6))

    def error(bits, zeta):
        with open(folder + "/r.toml", "w") as file:
            file.write('[tensors.input]\nformat = "s12.%d"\nscale = "number"\nvalue = %r\nclamp_low = -1\nclamp_high = 1\n' % (bits - 1, zeta))
            file.write('[passes]\nfprop = "fp64"\n')
        run = report("--recipe", folder + "/r.toml", "--trace", path, "--pass", "fprop")
        return 10 ** (-run["layers"][0]["quantization"]["sqnr_db"] / 10)

    for bits, zeta, wanted in table:
        found = error(bits, zeta)
        # two bits are too few for noise of a uniform distribution
        expect(abs(found / wanted - 1) < (0.06 if bits == 2 else 0.03 if bits < 9 else 0.12), bits, found, wanted)
        if 4 <= bits <= 8:
            expect(found < min(error(bits, 0.9 * zeta), error(bits, 1.1 * zeta)), bits)


if __name__ == "__main__":
    main()
