"""libaccsim_dpi.so: units clock by clock, alone, in step and in arrays. Arguments: the program, the library."""

import csv
import ctypes
import os
import random
import sys

import harness
from harness import accsim, case, done, equal, expect
import dpi_library
from dpi_library import FIRST, LAST, RESET, STALL, SUB, VALID, create, message, packed, peek, u32, u64

lib = dpi_library.load(sys.argv[2])
sys.argv = sys.argv[:2]


@case("a mismatch names cycle, stage, operands, expected and found")
def _(folder):
    handle = create("int16_wrap", "--latency 2")
    lib.accsim_clock(handle, 1, 0, 0, 0, 0)
    lib.accsim_clock(handle, 0, 1, 1, 100, 0xfe)  # 100 * -2
    equal(lib.accsim_check(handle, b"valid", 1), 0)
    equal(lib.accsim_clock(handle, 0, 0, 0, 0, 0), 1)
    equal(lib.accsim_check(handle, b"acc", 0xff39), 0)
    equal(lib.accsim_error_count(handle), 2)
    equal(lib.accsim_error_text(handle, 0), b"cycle 1: stage control: valid expected 0, found 1")
    equal(lib.accsim_error_text(handle, 1), b"cycle 2: stage sum: acc expected ff38 (-200), found ff39 (-199); "
          b"a 64 (100), b fe (-2), accumulator 0000 (0), taken in cycle 1")
    equal(lib.accsim_error_text(handle, 2), b"")
    equal(lib.accsim_reset(handle), 0)
    equal(lib.accsim_error_count(handle), 0)
    lib.accsim_destroy(handle)


@case("without --latency the registers are those of [timing], as accsim wave has them")
def _(folder):
    timing = "--set timing.input=1 --set timing.multiplier=2 --set timing.adder=1"
    path, waves = os.path.join(folder, "v.csv"), os.path.join(folder, "w.csv")
    done(accsim("vectors", "--acc", "fp12", "--in", "lba_fp12", "--count", "60", "--steps", "60", "--output", path))
    done(accsim("wave", "--acc", "fp12", "--in", "lba_fp12", *timing.split(), "--vectors", path, "--output", waves))
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    with open(waves, encoding="utf-8") as file:
        cycles = list(csv.DictReader(line for line in file if not line.startswith("#")))
    handle = create("fp12", "--in lba_fp12 " + timing)
    expect(handle, message(None))
    for cycle, row in enumerate(rows[:40]):
        valid = lib.accsim_clock(handle, 0, 1, row["step"] == "0", int(row["a"], 16), int(row["b"], 16))
        equal(str(valid), cycles[cycle + 1]["out_valid"], cycle)  # accsim wave samples before the next edge
        if valid:
            equal(lib.accsim_check(handle, b"acc", int(cycles[cycle + 1]["acc"], 16)), 1, cycle)
    lib.accsim_destroy(handle)


@case("units in step give what each gives alone, on lanes or not, each with the generators of its element")
def _(folder):
    rng = random.Random(6)
    lfsr = "--rounding sr:bits=13,rng=lfsr:width=16,mask=0xb400,seed=0xace1,form=galois,step=right"
    for datapath, options, bits in (("fp12", "--in lba_fp12 --set timing.multiplier=2", 12), ("sr_fp12", lfsr + ",share=array", 8),
                                    ("fp16", "--in fp16 --set timing.multiplier=1 --set timing.adder=3", 16), ("int16_wrap", "", 8),
                                    ("fp32", "--in fp32 --rounding sr:bits=5,kind=c,rng=lfsr:width=9,mask=0x110,seed=3,share=array", 32),
                                    ("int32", "--set reduction.0.format=int40", 8)):
        units = 37
        batch = create(datapath, options + " --units %d" % units)
        expect(batch, message(None))
        equal(lib.accsim_bits(batch, b"units"), units)
        alone = [create(datapath, options) for _ in range(units)]
        wide = lib.accsim_bits(batch, b"acc_out") > 32
        found = 0
        for cycle in range(60):
            control = rng.choice((0, VALID, VALID | FIRST, VALID | SUB, VALID | STALL, RESET if cycle > 20 else VALID))
            a = (u32 * units)(*[rng.getrandbits(bits) for _ in range(units)])
            b = (u32 * units)(*[rng.getrandbits(bits) for _ in range(units)])
            stands = lib.accsim_clock_batch(batch, control, 1, a, b, None)
            expect(stands >= 0, message(batch))
            acc, flags = (u32 * (2 * units))(), (u32 * units)()
            equal(lib.accsim_batch_results(batch, acc, flags), stands)
            for i, handle in enumerate(alone):
                equal(lib.accsim_clock_control(handle, control, 1, packed([a[i]], bits), packed([b[i]], bits), None), stands)
                if stands:
                    equal((acc[i] + (acc[units + i] << 32 if wide else 0), flags[i]), (peek(handle, "acc"), peek(handle, "flags")), (datapath, cycle, i))
            if stands:
                found += 1
                equal(lib.accsim_batch_check(batch, acc), 1)
                acc[units - 1] ^= 1
                equal(lib.accsim_batch_check(batch, acc), 0)
                expect(("unit %d expected" % (units - 1)).encode() in lib.accsim_error_text(batch, found - 1), lib.accsim_error_text(batch, 0))
        expect(found > 10, datapath, found)
        for handle in alone + [batch]:
            lib.accsim_destroy(handle)
    # An element's own generator is seeded S xor its number: the first draws of elements 0 and 1 are 1 and 0 here, with one random bit.
    batch = create("int16_saturate", "--set product.format=s16.-1 --set product.rounding=sr:bits=1,rng=lfsr:width=8,mask=0xb8,seed=0x11 --units 2")
    expect(batch, message(None))
    lib.accsim_clock_batch(batch, VALID, 1, (u32 * 2)(1, 1), (u32 * 2)(1, 1), None)  # half a step: away where the bit is 1
    acc = (u32 * 2)()
    equal(lib.accsim_batch_results(batch, acc, None), 1)
    equal(list(acc), [2, 0])
    lib.accsim_destroy(batch)


@case("a reset puts generators to their seeds as every other register; so does accsim_reset")
def _(folder):
    options = "--rounding sr:bits=13,rng=lfsr:width=16,mask=0xb400,seed=0xace1,share=array"
    handle = create("sr_fp12", options)

    def sums():
        out = []
        for i in range(20):
            lib.accsim_clock(handle, 0, 1, i == 0, 0x3d, 0x3f + i)
            out.append(peek(handle, "acc"))
        return out

    first = sums()
    expect(sums() != first, "the generator does not run on")
    lib.accsim_clock(handle, 1, 0, 0, 0, 0)
    equal(peek(handle, "valid"), 0)
    equal(sums(), first)
    equal(lib.accsim_reset(handle), 0)
    equal(sums(), first)
    lib.accsim_destroy(handle)


@case("a unit that is clocked is ready, stands still and combines its partial sums as accsim wave has it")
def _(folder):
    rng = random.Random(8)
    timing = "--set reduction.0.kind=interleaved --set reduction.0.ways=3 --set reduction.0.combine=coalesce --set timing.multiplier=1 --set timing.output=1"
    vectors, waves = os.path.join(folder, "v.csv"), os.path.join(folder, "w.csv")
    with open(vectors, "w", encoding="utf-8") as file:
        file.write("a,b,seq\n" + "".join("%04x,%04x,%d\n" % (rng.randrange(0x3000, 0x4000), rng.randrange(0x8000, 0xc000), i // 7) for i in range(70)))
    done(accsim("wave", "--acc", "fp16", "--in", "fp16", *timing.split(), "--vectors", vectors, "--output", waves, "--in-valid", "1101", "--out-ready", "10"))
    with open(waves, encoding="utf-8") as file:
        cycles = list(csv.DictReader(file))
    handle = create("fp16", "--in fp16 " + timing)
    results = 0
    for cycle in cycles:
        equal(str(peek(handle, "valid")), cycle["out_valid"], cycle)
        if cycle["out_ready"] == "1":
            equal(str(peek(handle, "ready")), cycle["in_ready"], cycle)
        if cycle["out_valid"] == "1":
            equal(("%04x" % peek(handle, "acc"), "%02x" % peek(handle, "flags"), peek(handle, "last")), (cycle["acc"], cycle["flags"], 1), cycle)
            results += 1
        for name in ("product_1_valid", "product_1_a", "reduction_0_2_valid", "reduction_0_3_code", "output_1_code"):
            value = peek(handle, name)
            if value is not None:
                equal(value, int(cycle[name], 16), (cycle, name))
        control = sum(bit for bit, name in ((VALID, "in_valid"), (FIRST, "in_first"), (LAST, "in_last")) if cycle[name] == "1")
        control |= 0 if cycle["out_ready"] == "1" else STALL
        expect(lib.accsim_clock_control(handle, control, 1, packed([int(cycle["a"], 16)], 16), packed([int(cycle["b"], 16)], 16), None) >= 0,
               message(handle))
    expect(results >= 10, results)
    lib.accsim_destroy(handle)


@case("an array gives its sums a row a clock, the lowest first, 2R + C + T - 2 clocks after the first operands")
def _(folder):
    handle = create("int32", "--set array.rows=2 --set array.cols=3")
    expect(handle, message(None))
    a, b = [[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 0, 1, 2], [2, 1, 0, 1], [1, 1, 1, 1]]  # rows, columns; T = 4
    products = [[sum(x * y for x, y in zip(row, column)) for column in b] for row in a]
    found = []
    for cycle in range(9):  # 2R + C + T - 2
        control = (VALID if cycle < 4 else 0) | (FIRST if cycle == 0 else 0) | (LAST if cycle == 3 else 0)
        k = min(cycle, 3)
        # A row stands at the output before this edge, or does not.
        sums = (u32 * 64)()
        if lib.accsim_array_results(handle, sums):
            found.append((cycle, list(sums[:3])))
            equal(lib.accsim_array_check(handle, 1, sums), 1)
            equal(lib.accsim_array_check(handle, 0, None), 0)
        else:
            equal(lib.accsim_array_check(handle, 0, None), 1)
        equal(peek(handle, "array_ready"), int(cycle < 4))
        lib.accsim_clock_array(handle, control, packed([row[k] for row in a], 8), packed([column[k] for column in b], 8))
    equal(found, [(7, products[1]), (8, products[0])])
    equal(peek(handle, "array_ready"), 1)
    lib.accsim_destroy(handle)


@case("an online unit gives the worked digits, and names a wrong one")
def _(folder):
    # online.md: 185/256 times 77/256, delay 2; the first eight digits.
    handle = create("online_r2_int8", "--terms 1")
    expect(handle, message(None))
    x, z = (1, 1, 0, -1, 1, 0, 1, -1, 0, 0), []
    for cycle, digit in enumerate(x):
        wires = lib.accsim_clock_online(handle, FIRST if cycle == 0 else 0, digit > 0, digit < 0, 0, 0, packed([77], 8))
        z.append((wires >> 1) - (wires & 1))
    equal(z, [0, 0, 0, 1, 0, -1, 1, 0, 0, 0])
    equal(lib.accsim_check(handle, b"digit", 1), 0)
    expect(b"cycle 9: stage digit" in lib.accsim_error_text(handle, 0), lib.accsim_error_text(handle, 0))
    lib.accsim_destroy(handle)
    for arguments, words in ((("int32",), "online"), (("online_r2_int8", "--terms 65"), "64"), (("online_r4_int8",), "radix 2")):
        handle = create(*arguments)
        expect((handle is None and words in message(None)) or (lib.accsim_clock_online(handle, 0, 0, 0, 0, 0, None) < 0 and words in message(handle)),
               arguments, message(handle))


harness.main()
