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

/* Inputs of a clock edge, added up. Valid: an issue is offered, taken where the unit is ready. First: it starts a sum. Last: it ends one,
 * which an interleaved unit then combines. Sub: its products are negated. Stall: the result that stands there is not taken. Acc_in: acc_in
 * starts the issue in place of the unit's own accumulator. Reset: every register, accumulators and generators included, is as after
 * accsim_create. */
#define ACCSIM_RESET 1
#define ACCSIM_VALID 2
#define ACCSIM_FIRST 4
#define ACCSIM_LAST 8
#define ACCSIM_SUB 16
#define ACCSIM_STALL 32
#define ACCSIM_ACC_IN 64
/* Also added: this rounding in place of every one of the datapath's; without, those. */
#define ACCSIM_RM_RNE 0x100
#define ACCSIM_RM_RZ 0x200
#define ACCSIM_RM_RD 0x300
#define ACCSIM_RM_RU 0x400
#define ACCSIM_RM_RNA 0x500
#define ACCSIM_RM_RO 0x600

/* The library's ACCSIM_DPI_VERSION. */
int accsim_version(void);

/* `version`: ACCSIM_DPI_VERSION of the caller. `datapath`: a built-in name, a TOML file, a format, or the text of a TOML file (it has a
 * line break). `options`: as on the command line, for example "--in fp16 --set reduction.0.format=e5m10"; also --units N, units in step
 * (accsim_clock_batch); --terms N and --part tree of an online unit (accsim_clock_online); and in place of [timing] --latency N, the
 * registers from the operands to the result, and --product-latency N, to the product, an issue a cycle. Null: see accsim_last_error(NULL).
 */
void* accsim_create(int version, const char* datapath, const char* options);
void accsim_destroy(void* unit);
/* The message of the last call that failed, of this unit or (null) in this thread without one; valid until the next call. */
const char* accsim_last_error(void* unit);
/* As after accsim_create: accumulators zero, generators at their seeds, pipeline empty, cycle 0, no mismatches. 0 or negative. */
int accsim_reset(void* unit);
/* Width in bits of "a", "b", "acc_in", "acc_out", "product" (0 where there is none); of "terms" the products of an issue (0: any);
 * of "units" how many are in step. */
int accsim_bits(void* unit, const char* what);

/* Scales of operands in block formats for every issue until the next call, packed codes, one a block from the first product on; missing
 * ones are 1, as all are after accsim_create and accsim_reset. accsim_total and accsim_clock_batch take no such operands. 0 or negative. */
int accsim_scales(void* unit, int a_blocks, const uint32_t* a, int b_blocks, const uint32_t* b);

/* One row, untimed: acc_out = acc_in + a * b as the datapath has it. Returns flags. */
int accsim_mac(void* unit, uint64_t a, uint64_t b, uint64_t acc_in, uint64_t* acc_out);
/* The same, fed back, with an accumulator and generators of its own, apart from the clocked unit's: the accumulator is zero with `first`,
 * else the result of the call before (of an interleaved level: `ways` before). */
int accsim_step(void* unit, int first, uint64_t a, uint64_t b, uint64_t* acc_out);
/* One row of several terms; acc_in and acc_out are 128 bits. Returns flags. */
int accsim_row(void* unit, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in, uint32_t* acc_out);
/* The whole datapath's result, all levels and the output's conversion, over the terms taken since the last `first` by accsim_step,
 * accsim_clock or accsim_clock_row (at most 65536). Returns 0. */
int accsim_total(void* unit, uint64_t* out);

/* One rising edge of the unit that accsim wave and accsim check --cycles run too, registers and schedule those of [timing]: inputs as
 * sampled before it; outputs as visible after it, until the next one. With in_valid an issue is taken, if the unit is ready. With reset
 * every register is cleared, generators are at their seeds. Returns 1 where a result stands at the output, else 0. */
int accsim_clock(void* unit, int reset, int in_valid, int first, uint64_t a, uint64_t b);
int accsim_clock_row(void* unit, int reset, int in_valid, int first, int terms, const uint32_t* a, const uint32_t* b);
/* The same with every control input; acc_in (128 bits) is looked at with ACCSIM_ACC_IN only. */
int accsim_clock_control(void* unit, int control, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in);
/* The same for --units N in step, such as a row of an array: one control, operands of their own. Arrays of N words a term (a code in each,
 * codes of more than 32 bits in planes of N words, low first). Random numbers: unit u has the generators of element u. Many units a call
 * are fast: float and fixed-point multiply-adds run in vector lanes. */
int accsim_clock_batch(void* unit, int control, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in);
/* The N results and flags (or null) that stand there. 1, or 0 where none do. */
int accsim_batch_results(void* unit, uint32_t* acc, uint32_t* flags);
/* Compares N results: 1 match, 0 mismatch, one kept for each unit that differs. */
int accsim_batch_check(void* unit, const uint32_t* acc);
/* One rising edge of the output-stationary array of [array]: term k of every row (a) and column (b), packed, unskewed; control
 * ACCSIM_RESET, _VALID, _FIRST and _LAST. Taken while "array_ready". After the last term the sums leave down the columns, the lowest row
 * first. Returns 1 where a row of sums leaves after this edge, else 0. */
int accsim_clock_array(void* unit, int control, const uint32_t* a, const uint32_t* b);
/* The row that leaves, packed into ACCSIM_DPI_BITS bits: 1, or 0 where there is none. */
int accsim_array_results(void* unit, uint32_t* sums);
/* Compares a row (valid 0: none leaves): 1 match, 0 mismatch, kept for each element. */
int accsim_array_check(void* unit, int valid, const uint32_t* sums);
/* One rising edge of the radix-2 unit of a datapath whose level is of kind `online`: multipliers before the tree, or merged; with --part
 * tree the tree alone. Digits are wires, bit t of term t, plus - minus; y is looked at where both operands are serial, `parallel` (b's
 * codes, packed) with ACCSIM_FIRST, which comes with a vector's first digits, where they are not. Returns the digit behind the edge, 2 plus
 * + minus. Signals of accsim_peek and accsim_check: "digit", "products_plus", "products_minus". */
int accsim_clock_online(void* unit, int control, uint64_t x_plus, uint64_t x_minus, uint64_t y_plus, uint64_t y_minus,
                        const uint32_t* parallel);
/* What stands after the last edge: "valid", "ready" (an issue would be taken, if results are), "last", "acc", "flags", "product_valid",
 * "product", or a register as accsim wave names it, such as "reduction_0_1_code". 1, or 0 where nothing valid stands there. */
int accsim_peek(void* unit, const char* signal, uint64_t* value);
/* Compares what an RTL has there: 1 match, 0 mismatch, kept with cycle, stage, operands, expected and found. Signals
 * are those of accsim_peek, compared where they are valid in the model. */
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
