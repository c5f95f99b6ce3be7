/* accsim as a golden reference in a test bench: a plain C interface for SystemVerilog's DPI (accsim_dpi_pkg.sv), Python's ctypes, cocotb.
 *
 * No function throws, prints or exits, and none needs a simulator's symbols. Calls return a negative number where they fail and leave a
 * message behind (accsim_last_error). Handles are independent of one another; one handle is used from one thread at a time.
 * Codes are right-aligned bit patterns. A code wider than its format is an error. Flags are NV DZ OF UF NX = bits 4..0. */
#ifndef ACCSIM_DPI_H
#define ACCSIM_DPI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define ACCSIM_DPI_VERSION 1
/* Bits of the packed vectors of accsim_row and accsim_clock_row: codes of term 0, 1, ... from bit 0, each of its format's width. */
#define ACCSIM_DPI_BITS 2048

/* The library's ACCSIM_DPI_VERSION. */
int accsim_version(void);

/* `version`: ACCSIM_DPI_VERSION of the caller. `datapath`: a built-in name, a TOML file, a format, or the text of a TOML file (it has a
 * line break). `options`: as on the command line, for example "--in fp16 --set reduction.0.format=e5m10"; also --latency N, the registers
 * from the operands to the result, and --product-latency N, to the product (those of [timing], or 1). Null: see accsim_last_error(NULL). */
void* accsim_create(int version, const char* datapath, const char* options);
void accsim_destroy(void* unit);
/* The message of the last call that failed, of this unit or (null) in this thread without one; valid until the next call. */
const char* accsim_last_error(void* unit);
/* As after accsim_create: accumulators zero, generators at their seeds, pipeline empty, cycle 0, no mismatches. 0 or negative. */
int accsim_reset(void* unit);
/* Width in bits of "a", "b", "acc_in", "acc_out", "product" (0 where there is none); of "terms" the products of an issue (0: any). */
int accsim_bits(void* unit, const char* what);

/* One row, untimed: acc_out = acc_in + a * b as the datapath has it. Returns flags. */
int accsim_mac(void* unit, uint64_t a, uint64_t b, uint64_t acc_in, uint64_t* acc_out);
/* The same, fed back: the accumulator is zero with `first`, else the result of the call before (of an interleaved level: `ways` before). */
int accsim_step(void* unit, int first, uint64_t a, uint64_t b, uint64_t* acc_out);
/* One row of several terms; acc_in and acc_out are 128 bits. Returns flags. */
int accsim_row(void* unit, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in, uint32_t* acc_out);
/* The whole datapath's result, all levels and the output's conversion, over the terms taken since the last `first` by accsim_step,
 * accsim_clock or accsim_clock_row (at most 65536). Returns 0. */
int accsim_total(void* unit, uint64_t* out);

/* One rising edge: inputs as sampled before it; outputs as visible after it, until the next one. With in_valid an issue is taken; its
 * result stands after the edge that is latency - 1 later. With reset the pipeline and accumulators are cleared, generators are not. Returns
 * 1 where a result stands at the output, else 0. */
int accsim_clock(void* unit, int reset, int in_valid, int first, uint64_t a, uint64_t b);
int accsim_clock_row(void* unit, int reset, int in_valid, int first, int terms, const uint32_t* a, const uint32_t* b);
/* What stands after the last edge: "valid", "acc", "flags", "product_valid", "product". 1, or 0 where nothing valid stands there. */
int accsim_peek(void* unit, const char* signal, uint64_t* value);
/* Compares what an RTL has there: 1 match, 0 mismatch, kept with cycle, stage, operands, expected and found. "acc", "flags" and "product"
 * are compared where they are valid in the model. */
int accsim_check(void* unit, const char* signal, uint64_t found);
/* Compares any value, for example accsim_total's, under a name of the caller's choice. */
int accsim_check_value(void* unit, const char* what, uint64_t expected, uint64_t found);
/* Mismatches since the last reset; the first 1000 have texts, numbered from 0. "" where there is none. */
int accsim_error_count(void* unit);
const char* accsim_error_text(void* unit, int index);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
