"""libaccsim_dpi.so through ctypes, as cocotb would load it."""

import ctypes

from harness import expect

u64, u32 = ctypes.c_uint64, ctypes.c_uint32
RESET, VALID, FIRST, LAST, SUB, STALL, ACC_IN = (1 << i for i in range(7))
lib = None


def load(path):
    """The library, with the types of its functions; what stands below calls it."""
    global lib
    lib = ctypes.CDLL(path)
    unit, words, out, text, number = ctypes.c_void_p, ctypes.POINTER(u32), ctypes.POINTER(u64), ctypes.c_char_p, ctypes.c_int
    lib.accsim_create.restype = unit
    for name in ("accsim_last_error", "accsim_error_text"):
        getattr(lib, name).restype = text
    for name, arguments in (("create", (number, text, text)), ("destroy", (unit,)), ("last_error", (unit,)), ("reset", (unit,)),
                            ("bits", (unit, text)), ("mac", (unit, u64, u64, u64, out)), ("step", (unit, number, u64, u64, out)),
                            ("row", (unit, number, words, words, words, words)), ("scales", (unit, number, words, number, words)),
                            ("total", (unit, out)), ("clock", (unit, number, number, number, u64, u64)), ("peek", (unit, text, out)),
                            ("check", (unit, text, u64)), ("clock_control", (unit, number, number, words, words, words)),
                            ("clock_batch", (unit, number, number, words, words, words)), ("batch_results", (unit, words, words)),
                            ("batch_check", (unit, words)), ("clock_array", (unit, number, words, words)),
                            ("array_results", (unit, words)), ("array_check", (unit, number, words)),
                            ("clock_online", (unit, number, u64, u64, u64, u64, words)), ("error_count", (unit,)),
                            ("error_text", (unit, number))):
        getattr(lib, "accsim_" + name).argtypes = arguments
    return lib


def create(datapath, options="", version=1):
    return lib.accsim_create(version, datapath.encode(), options.encode())


def message(handle):
    return lib.accsim_last_error(handle).decode()


def packed(codes, bits):
    number = sum(code << (i * bits) for i, code in enumerate(codes))
    return (u32 * 64)(*[(number >> (32 * i)) & 0xFFFFFFFF for i in range(64)])


def peek(handle, signal):
    value = u64()
    valid = lib.accsim_peek(handle, signal.encode(), ctypes.byref(value))
    expect(valid >= 0, message(handle))
    return value.value if valid or signal.endswith("valid") else None
