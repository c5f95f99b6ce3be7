// accsim as a golden reference in a SystemVerilog test bench. What each function does stands in accsim_dpi.h.
package accsim_dpi_pkg;
  parameter int ACCSIM_DPI_VERSION = 1;
  parameter int ACCSIM_DPI_BITS = 2048;
  parameter int ACCSIM_RESET = 1, ACCSIM_VALID = 2, ACCSIM_FIRST = 4, ACCSIM_LAST = 8, ACCSIM_SUB = 16, ACCSIM_STALL = 32, ACCSIM_ACC_IN = 64;
  parameter int ACCSIM_RM_RNE = 'h100, ACCSIM_RM_RZ = 'h200, ACCSIM_RM_RD = 'h300, ACCSIM_RM_RU = 'h400, ACCSIM_RM_RNA = 'h500,
                ACCSIM_RM_RO = 'h600;

  import "DPI-C" function int accsim_version();
  import "DPI-C" function chandle accsim_create(input int version, input string datapath, input string options);
  import "DPI-C" function void accsim_destroy(input chandle unit);
  import "DPI-C" function string accsim_last_error(input chandle unit);
  import "DPI-C" function int accsim_reset(input chandle unit);
  import "DPI-C" function int accsim_bits(input chandle unit, input string what);
  import "DPI-C" function int accsim_scales(input chandle unit, input int a_blocks, input bit [ACCSIM_DPI_BITS-1:0] a, input int b_blocks,
                                            input bit [ACCSIM_DPI_BITS-1:0] b);
  import "DPI-C" function int accsim_mac(input chandle unit, input longint unsigned a, input longint unsigned b,
                                         input longint unsigned acc_in, output longint unsigned acc_out);
  import "DPI-C" function int accsim_step(input chandle unit, input int first, input longint unsigned a, input longint unsigned b,
                                          output longint unsigned acc_out);
  import "DPI-C" function int accsim_row(input chandle unit, input int terms, input bit [ACCSIM_DPI_BITS-1:0] a,
                                         input bit [ACCSIM_DPI_BITS-1:0] b, input bit [127:0] acc_in, output bit [127:0] acc_out);
  import "DPI-C" function int accsim_total(input chandle unit, output longint unsigned out);
  import "DPI-C" function int accsim_clock(input chandle unit, input int reset, input int in_valid, input int first,
                                           input longint unsigned a, input longint unsigned b);
  import "DPI-C" function int accsim_clock_row(input chandle unit, input int reset, input int in_valid, input int first, input int terms,
                                               input bit [ACCSIM_DPI_BITS-1:0] a, input bit [ACCSIM_DPI_BITS-1:0] b);
  import "DPI-C" function int accsim_clock_control(input chandle unit, input int control, input int terms,
                                                   input bit [ACCSIM_DPI_BITS-1:0] a, input bit [ACCSIM_DPI_BITS-1:0] b,
                                                   input bit [127:0] acc_in);
  // Units in step: 32 bits a code, so up to 64 units here; a bench with more imports these with wider vectors.
  import "DPI-C" function int accsim_clock_batch(input chandle unit, input int control, input int terms,
                                                 input bit [ACCSIM_DPI_BITS-1:0] a, input bit [ACCSIM_DPI_BITS-1:0] b,
                                                 input bit [ACCSIM_DPI_BITS-1:0] acc_in);
  import "DPI-C" function int accsim_batch_results(input chandle unit, output bit [ACCSIM_DPI_BITS-1:0] acc,
                                                   output bit [ACCSIM_DPI_BITS-1:0] flags);
  import "DPI-C" function int accsim_batch_check(input chandle unit, input bit [ACCSIM_DPI_BITS-1:0] acc);
  import "DPI-C" function int accsim_clock_array(input chandle unit, input int control, input bit [ACCSIM_DPI_BITS-1:0] a,
                                                 input bit [ACCSIM_DPI_BITS-1:0] b);
  import "DPI-C" function int accsim_array_results(input chandle unit, output bit [ACCSIM_DPI_BITS-1:0] sums);
  import "DPI-C" function int accsim_array_check(input chandle unit, input int valid, input bit [ACCSIM_DPI_BITS-1:0] sums);
  import "DPI-C" function int accsim_clock_online(input chandle unit, input int control, input longint unsigned x_plus,
                                                  input longint unsigned x_minus, input longint unsigned y_plus,
                                                  input longint unsigned y_minus, input bit [ACCSIM_DPI_BITS-1:0] parallel);
  import "DPI-C" function int accsim_peek(input chandle unit, input string signal, output longint unsigned value);
  import "DPI-C" function int accsim_check(input chandle unit, input string signal, input longint unsigned found);
  import "DPI-C" function int accsim_check_value(input chandle unit, input string what, input longint unsigned expected,
                                                 input longint unsigned found);
  import "DPI-C" function int accsim_error_count(input chandle unit);
  import "DPI-C" function string accsim_error_text(input chandle unit, input int index);
endpackage
